//! Parquet files through the steps of a run, with no vault: each value comes back as its own token.

use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::FileReader;
use ::parquet::file::serialized_reader::SerializedFileReader;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::cli::bulk::batch::{Portion, RowFault};
use crate::cli::bulk::encoding::Encoding;
use crate::cli::bulk::map::{Layout, Map};
use crate::cli::bulk::progress::Standing;
use crate::cli::bulk::rows::Reading;

const SCHEMA: &str = "message persons {
    required int32 case;
    optional binary name (UTF8);
    optional group contact { optional binary mobile (UTF8); }
    optional double fee;
    optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }
}";

/// Two groups of five rows: names with a null and an empty one, lists of nothing to two.
fn sample(path: &Path) {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "who".to_owned(),
            "test".to_owned(),
        )]));
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
    let bytes = |texts: &[&str]| {
        texts
            .iter()
            .map(|t| ByteArray::from(*t))
            .collect::<Vec<_>>()
    };
    for group in 0..2 {
        let mut out = writer.next_row_group().unwrap();
        let mut column = out.next_column().unwrap().unwrap();
        let cases: Vec<i32> = (0..5).map(|n| group * 5 + n).collect();
        column
            .typed::<Int32Type>()
            .write_batch(&cases, None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = out.next_column().unwrap().unwrap();
        let names = bytes(&["甲", "bad", "", "丁"]);
        column
            .typed::<ByteArrayType>()
            .write_batch(&names, Some(&[1, 1, 0, 1, 1]), None)
            .unwrap();
        column.close().unwrap();
        let mut column = out.next_column().unwrap().unwrap();
        let mobiles = bytes(&["0912", "0913"]);
        column
            .typed::<ByteArrayType>()
            .write_batch(&mobiles, Some(&[2, 0, 1, 2, 0]), None)
            .unwrap();
        column.close().unwrap();
        let mut column = out.next_column().unwrap().unwrap();
        let fees = [1.5, f64::NAN, -0.0];
        column
            .typed::<DoubleType>()
            .write_batch(&fees, Some(&[1, 0, 1, 1, 0]), None)
            .unwrap();
        column.close().unwrap();
        let mut column = out.next_column().unwrap().unwrap();
        let tags = bytes(&["a", "b", "c"]);
        let (defs, reps) = ([3, 3, 0, 1, 2, 3], [0, 1, 0, 0, 0, 0]);
        column
            .typed::<ByteArrayType>()
            .write_batch(&tags, Some(&defs), Some(&reps))
            .unwrap();
        column.close().unwrap();
        out.close().unwrap();
    }
    writer.close().unwrap();
}

/// Every row as text: the crate's own record reader.
fn rows(path: &Path) -> Vec<String> {
    let file = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows = file.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().to_string()).collect()
}

/// Runs all groups; a value `bad` is set aside. Gives the joined file.
fn run(folder: &Path, columns: &str) -> PathBuf {
    let (input, joined) = (folder.join("in.parquet"), folder.join("joined"));
    let map = folder.join("map.toml");
    fs::write(&map, format!("domain = 'city'\n{columns}")).unwrap();
    let map = Arc::new(Map::load(&map).unwrap().0);
    let source = Source::open(&input).unwrap();
    let choice = Choice::of(&source.metadata, &map).unwrap();
    let reading = Reading {
        map,
        layout: Layout::Parquet,
        encoding: Encoding::Utf8,
        value_max: (4_096, "value-too-long"),
    };
    let mut progress = Progress::begin(&input, &[], Standing::Kept).unwrap();
    let portion = Portion {
        items_max: 2,
        bytes_max: 10_000,
    };
    let mut segments = Vec::new();
    for group in 0..source.metadata.num_row_groups() {
        let mut rows = Group::open(&source, &choice, group, &reading, &progress).unwrap();
        let mut spool = Spool::create(folder, &choice).unwrap();
        while let Some(mut batch) = rows.batch(portion).unwrap() {
            let token = |cell: &crate::cli::bulk::batch::Cell| format!("<{}>", cell.value);
            let replacements = batch.cells.iter().map(token).collect();
            for row in &mut batch.rows {
                if batch.cells[row.cells.clone()]
                    .iter()
                    .any(|cell| cell.value == "bad")
                {
                    row.fault = Some(RowFault::new("bad", ""));
                }
            }
            progress.rows = batch.end.rows;
            spool
                .add(&Settled {
                    batch,
                    replacements,
                })
                .unwrap();
        }
        segments.push(folder.join(format!("{group}.parquet")));
        segment::write(&segments[group], &source, &choice, group, spool, 0o600).unwrap();
    }
    segment::join(&joined, &source, &choice, &segments, 0o600).unwrap();
    joined
}

const NAME: &str = "[[column]]\nname = 'name'\n";
const MOBILE: &str = "[[column]]\nname = 'contact.mobile'\n";

#[test]
fn chosen_columns_are_replaced_and_all_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.parquet");
    sample(&input);
    let joined = run(folder.path(), MOBILE);
    let expected: Vec<String> = rows(&input)
        .iter()
        .map(|row| {
            row.replace("\"0912\"", "\"<0912>\"")
                .replace("\"0913\"", "\"<0913>\"")
        })
        .collect();
    assert_eq!(rows(&joined), expected);
    let (before, after) = (
        Source::open(&input).unwrap(),
        Source::open(&joined).unwrap(),
    );
    let of = |source: &Source| source.metadata.file_metadata().clone();
    assert_eq!(of(&before).schema(), of(&after).schema());
    assert_eq!(
        of(&before).key_value_metadata(),
        of(&after).key_value_metadata()
    );
    assert_eq!(after.metadata.num_row_groups(), 2);
}

#[test]
fn a_row_that_is_set_aside_goes_out_of_every_column() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.parquet");
    sample(&input);
    let joined = run(folder.path(), &format!("{NAME}{MOBILE}"));
    let mut expected = rows(&input);
    expected.retain(|row| !row.contains("bad"));
    let swap = |row: &String| {
        ["甲", "丁", "0912", "0913"]
            .iter()
            .fold(row.clone(), |row, value| {
                row.replace(&format!("\"{value}\""), &format!("\"<{value}>\""))
            })
    };
    assert_eq!(rows(&joined), expected.iter().map(swap).collect::<Vec<_>>());
    assert_eq!(expected.len(), 8);
}

#[test]
fn columns_that_hold_no_single_text_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.parquet");
    sample(&input);
    let source = Source::open(&input).unwrap();
    for name in ["case", "tags.list.element", "absent", "contact"] {
        let map = folder.path().join("map.toml");
        fs::write(
            &map,
            format!("domain = 'city'\n[[column]]\nname = '{name}'\n"),
        )
        .unwrap();
        let map = Map::load(&map).unwrap().0;
        assert!(Choice::of(&source.metadata, &map).is_err(), "{name}");
    }
}
