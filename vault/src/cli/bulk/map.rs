//! The map: which columns of a file hold what. Read from `map.toml`, nothing in it unknown.

use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::pointer::Pointer;
use crate::model::{ClassName, DomainName};

/// Largest map, in bytes.
const MAP_BYTES_MAX: u64 = 64 * 1024;
/// Most columns that a map names.
const COLUMNS_MAX: usize = 256;
/// Longest name, pointer or path, in bytes.
const NAME_BYTES_MAX: usize = 1_024;

/// How a file is laid out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layout {
    /// RFC 4180.
    Csv,
    /// One JSON document a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

impl Layout {
    /// What a file's name says.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let extension = file.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// The map as meant.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) domain: String,
    pub(super) layout: Option<Layout>,
    /// Between the fields of a CSV file.
    pub(super) delimiter: u8,
    /// Whether a CSV file's first record names its columns.
    pub(super) header: bool,
    pub(super) columns: Vec<Column>,
}

/// One column to be replaced.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) place: Place,
    /// What its values are; only detokenizing can do without.
    pub(super) class: Option<String>,
    /// Whether a row without a value there is an error.
    pub(super) required: bool,
}

/// Where a column is.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// A CSV column's name, or a Parquet column's path.
    Name(String),
    /// A CSV column's number, from 1.
    Number(usize),
    /// In a line of JSON.
    Pointer(String, Pointer),
}

impl Place {
    /// As it stands in the map.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Name(text) | Self::Pointer(text, _) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMap {
    domain: String,
    layout: Option<Layout>,
    #[serde(default)]
    csv: RawCsv,
    #[serde(default)]
    column: Vec<RawColumn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawCsv {
    delimiter: String,
    header: bool,
}

impl Default for RawCsv {
    fn default() -> Self {
        Self {
            delimiter: ",".to_owned(),
            header: true,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawColumn {
    name: Option<String>,
    number: Option<usize>,
    pointer: Option<String>,
    class: Option<String>,
    #[serde(default)]
    required: bool,
}

impl Map {
    /// Reads a map; its text too, which a run that is taken up again must find unchanged.
    pub(super) fn load(file: &Path) -> anyhow::Result<(Self, String)> {
        let shown = file.display();
        let unread = || format!("`{shown}` can't be read");
        if std::fs::metadata(file).with_context(unread)?.len() > MAP_BYTES_MAX {
            bail!("`{shown}` is larger than 64 KiB");
        }
        let text = std::fs::read_to_string(file).with_context(unread)?;
        let map = Self::parse(&text).with_context(|| format!("`{shown}` is no map"))?;
        Ok((map, text))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let raw: RawMap = toml::from_str(text)?;
        DomainName::parse(&raw.domain)?;
        let delimiter = match raw.csv.delimiter.as_bytes() {
            [byte @ (b',' | b';' | b'\t')] => *byte,
            _ => bail!("csv.delimiter must be \",\", \";\" or \"\\t\""),
        };
        if !(1..=COLUMNS_MAX).contains(&raw.column.len()) {
            bail!("name 1 to {COLUMNS_MAX} columns, each in a table [[column]]");
        }
        let mut columns: Vec<Column> = Vec::with_capacity(raw.column.len());
        for column in raw.column {
            let column = column.checked()?;
            if columns.iter().any(|known| known.place == column.place) {
                bail!("column `{}` is named twice", column.place.label());
            }
            columns.push(column);
        }
        Ok(Self {
            domain: raw.domain,
            layout: raw.layout,
            delimiter,
            header: raw.csv.header,
            columns,
        })
    }

    /// Tokenizing asks what each value is.
    pub(super) fn needs_classes(&self) -> anyhow::Result<()> {
        match self.columns.iter().find(|column| column.class.is_none()) {
            Some(column) => bail!("column `{}` has no class", column.place.label()),
            None => Ok(()),
        }
    }

    /// Only some places mean something in a layout.
    pub(super) fn fits(&self, layout: Layout) -> anyhow::Result<()> {
        let wanted = match layout {
            Layout::Csv if self.header => "`name` or `number`",
            Layout::Csv => "`number`, since csv.header = false",
            Layout::Jsonl => "`pointer`",
            Layout::Parquet => "`name`",
        };
        for Column { place, .. } in &self.columns {
            let fits = match (layout, place) {
                (Layout::Csv, Place::Number(_))
                | (Layout::Jsonl, Place::Pointer(..))
                | (Layout::Parquet, Place::Name(_)) => true,
                (Layout::Csv, Place::Name(_)) => self.header,
                _ => false,
            };
            if !fits {
                bail!(
                    "column `{}` must be given by {wanted} in this layout",
                    place.label()
                );
            }
        }
        Ok(())
    }
}

impl RawColumn {
    fn checked(self) -> anyhow::Result<Column> {
        let place = match (self.name, self.number, self.pointer) {
            (Some(name), None, None) => Place::Name(name),
            (None, Some(number), None) if number > 0 => Place::Number(number),
            (None, Some(_), None) => bail!("a column's number counts from 1"),
            (None, None, Some(text)) => match Pointer::parse(&text) {
                Some(pointer) => Place::Pointer(text, pointer),
                None => bail!("`{text}` is no JSON pointer (RFC 6901) of at most 32 steps"),
            },
            _ => bail!("each column has one of `name`, `number` and `pointer`"),
        };
        if place.label().len() > NAME_BYTES_MAX {
            bail!("a column's name has at most {NAME_BYTES_MAX} bytes");
        }
        let class = self.class.as_deref().map(ClassName::parse).transpose()?;
        Ok(Column {
            place,
            class: class.map(|class| class.to_string()),
            required: self.required,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [&str; 3] = [
        include_str!("../../../../policies/sample/bulk/persons-csv.toml"),
        include_str!("../../../../policies/sample/bulk/persons-jsonl.toml"),
        include_str!("../../../../policies/sample/bulk/persons-parquet.toml"),
    ];

    #[test]
    fn the_samples_are_maps() {
        let layouts = [Layout::Csv, Layout::Jsonl, Layout::Parquet];
        for (text, layout) in SAMPLES.into_iter().zip(layouts) {
            let map = Map::parse(text).unwrap();
            map.fits(layout).unwrap();
            map.needs_classes().unwrap();
        }
    }

    #[test]
    fn what_a_map_does_not_know_is_refused() {
        let head = "domain = 'city'\n";
        let column = "[[column]]\nname = 'a'\nclass = 'name'\n";
        assert!(Map::parse(&format!("{head}{column}")).is_ok());
        for wrong in [
            head.to_owned(),
            column.to_owned(),
            format!("{head}speed = 1\n{column}"),
            format!("{head}{column}mask = true\n"),
            format!("{head}{column}{column}"),
            format!("{head}[csv]\ndelimiter = '|'\n{column}"),
            format!("{head}[[column]]\nnumber = 0\n"),
            format!("{head}[[column]]\nname = 'a'\nnumber = 1\n"),
            format!("{head}[[column]]\npointer = 'a'\n"),
            format!("{head}[[column]]\nname = 'a'\nclass = 'No Class'\n"),
            format!("domain = 'City'\n{column}"),
            format!(
                "{head}[[column]]\nname = '{}'\n",
                "a".repeat(NAME_BYTES_MAX + 1)
            ),
        ] {
            assert!(Map::parse(&wrong).is_err(), "{wrong}");
        }
        let column = |number: usize| format!("[[column]]\nname = '{number}'\n");
        let many: Vec<String> = (0..=COLUMNS_MAX).map(column).collect();
        let many = many.concat();
        assert!(Map::parse(&format!("{head}{many}")).is_err());
    }

    #[test]
    fn a_place_must_mean_something_in_the_layout() {
        let named = Map::parse("domain = 'city'\n[[column]]\nname = 'a'\n").unwrap();
        assert!(named.fits(Layout::Csv).is_ok() && named.fits(Layout::Parquet).is_ok());
        assert!(named.fits(Layout::Jsonl).is_err() && named.needs_classes().is_err());
        let bare = "domain = 'city'\n[csv]\nheader = false\n[[column]]\nname = 'a'\n";
        assert!(Map::parse(bare).unwrap().fits(Layout::Csv).is_err());
    }
}
