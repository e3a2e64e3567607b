//! Which columns of a Parquet file the map means, and whether all can be read.

use ::parquet::basic::{Compression, ConvertedType, LogicalType, Type};
use ::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use ::parquet::schema::types::ColumnDescriptor;
use anyhow::bail;

use crate::cli::bulk::map::{Column, Map};

/// The leaf that each column of the map is, in the map's order.
pub(super) struct Choice {
    pub(super) leaves: Vec<usize>,
    /// Definition levels at which there is a value.
    pub(super) defined: Vec<i16>,
}

impl Choice {
    pub(super) fn of(metadata: &ParquetMetaData, map: &Map) -> anyhow::Result<Self> {
        let schema = metadata.file_metadata().schema_descr();
        let (mut leaves, mut defined) = (Vec::new(), Vec::new());
        for Column { place, .. } in &map.columns {
            let label = place.label();
            let mut found = schema.columns().iter().enumerate();
            let Some((leaf, column)) = found.find(|(_, column)| column.path().string() == label)
            else {
                bail!("the file has no column `{label}`");
            };
            if let Some(fault) = fault(column) {
                bail!("column `{label}` {fault}");
            }
            leaves.push(leaf);
            defined.push(column.max_def_level());
        }
        readable(metadata)?;
        Ok(Self { leaves, defined })
    }

    /// Which column of the map a leaf is.
    pub(super) fn column_of(&self, leaf: usize) -> Option<usize> {
        self.leaves.iter().position(|known| *known == leaf)
    }
}

/// Why a column can't hold text.
fn fault(column: &ColumnDescriptor) -> Option<&'static str> {
    if column.max_rep_level() > 0 {
        return Some("is a list, or in one: only columns with one value a row can be replaced");
    }
    if column.physical_type() != Type::BYTE_ARRAY {
        return Some("holds no strings");
    }
    let text = match column.logical_type_ref() {
        Some(logical) => matches!(
            logical,
            LogicalType::String | LogicalType::Json | LogicalType::Enum
        ),
        None => matches!(
            column.converted_type(),
            ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM
        ),
    };
    (!text).then_some("holds no strings")
}

/// A row that is set aside goes out of every column, so all of them must be readable.
fn readable(metadata: &ParquetMetaData) -> anyhow::Result<()> {
    for column in metadata
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns)
    {
        let known = matches!(
            column.compression(),
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_)
        );
        if !known {
            bail!(
                "column `{}` is compressed in a way that is not read here: write the file anew with snappy, \
                zstd or none",
                column.column_path().string()
            );
        }
    }
    Ok(())
}
