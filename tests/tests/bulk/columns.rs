//! Parquet: chosen columns are swapped, the others are the same values, and a stopped run goes on.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tests::{House, Program};

use super::{PERSONS, bytes, detokenize, errors, path, tidy, tokenize};

/// Row groups of so many rows; every seventh row has no name, and row 11 a number that is none.
fn sample(path: &Path, groups: usize, rows: usize, wrong: bool) {
    let schema = "message persons { required int64 case; optional binary name (UTF8); required binary mobile (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    for group in 0..groups {
        let numbers: Vec<usize> = (group * rows..(group + 1) * rows).collect();
        let mut out = writer.next_row_group().unwrap();
        let mut column = out.next_column().unwrap().unwrap();
        let cases: Vec<i64> = numbers.iter().map(|&n| n as i64 * 1_000_003).collect();
        column
            .typed::<Int64Type>()
            .write_batch(&cases, None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = out.next_column().unwrap().unwrap();
        let levels: Vec<i16> = numbers.iter().map(|n| i16::from(n % 7 != 0)).collect();
        let names = numbers.iter().filter(|&n| n % 7 != 0);
        let names: Vec<ByteArray> = names.map(|n| format!("姓名{n}").as_str().into()).collect();
        column
            .typed::<ByteArrayType>()
            .write_batch(&names, Some(&levels), None)
            .unwrap();
        column.close().unwrap();
        let mut column = out.next_column().unwrap().unwrap();
        let mobile = |&n: &usize| {
            if n == 11 && wrong {
                "11".to_owned()
            } else {
                format!("09{n:08}")
            }
        };
        let mobiles: Vec<ByteArray> = numbers.iter().map(|n| mobile(n).as_str().into()).collect();
        column
            .typed::<ByteArrayType>()
            .write_batch(&mobiles, None, None)
            .unwrap();
        column.close().unwrap();
        out.close().unwrap();
    }
    writer.close().unwrap();
}

fn rows(house: &House, name: &str) -> Vec<String> {
    let file = SerializedFileReader::new(File::open(path(house, name)).unwrap()).unwrap();
    file.get_row_iter(None)
        .unwrap()
        .map(|row| row.unwrap().to_string())
        .collect()
}

#[test]
fn columns_are_swapped_and_come_back() {
    let house = House::open();
    sample(&path(&house, "in.parquet"), 3, 500, true);
    let said = tokenize(&house, "in.parquet", PERSONS).run();
    assert_eq!((said.code, &said.json()["errors"]), (1, &1.into()));
    let aside = &errors(&house, "in.parquet.errors.jsonl")[0];
    assert_eq!(
        (&aside["row"], &aside["column"]),
        (&12.into(), &"mobile".into())
    );
    let tokens = bytes(&house, "in.tokenized.parquet");
    let stands = |text: &str| {
        tokens
            .windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    };
    assert!(stands("jk1_") && !stands("姓名") && !stands("0900000012"));
    detokenize(&house, "in.tokenized.parquet")
        .with(&["--out", "back.parquet"])
        .whole();
    let mut expected = rows(&house, "in.parquet");
    expected.remove(11);
    assert_eq!(rows(&house, "back.parquet"), expected);
    tidy(&house);
}

#[test]
fn a_run_that_is_killed_goes_on_at_its_row_group() {
    let house = House::open();
    sample(&path(&house, "in.parquet"), 12, 400, false);
    let run = || tokenize(&house, "in.parquet", PERSONS).with(&["--batch-items", "40"]);
    for more in [&[][..], &["--resume"], &["--resume"]] {
        let run = run().with(more);
        let mut program = Program::start(&mut run.command("tax-bureau"), &path(&house, "run.log"));
        let segments = || {
            std::fs::read_dir(path(&house, "in.tokenized.parquet.part")).map_or(0, Iterator::count)
        };
        let before = segments();
        program.wait_for(|| segments() > before + 2);
        program.kill();
    }
    run().with(&["--resume"]).whole();
    detokenize(&house, "in.tokenized.parquet")
        .with(&["--out", "back.parquet"])
        .whole();
    assert!(rows(&house, "back.parquet") == rows(&house, "in.parquet"));
    tidy(&house);
    assert_eq!(
        house.rows(),
        12 * 400 + (0..4_800).filter(|n| n % 7 != 0).count() as u64
    );
}

#[test]
fn what_is_no_parquet_is_refused() {
    let house = House::open();
    super::write(&house, "in.parquet", "PAR1 no PAR1");
    tokenize(&house, "in.parquet", PERSONS).refused("can't be read as Parquet");
    sample(&path(&house, "in.parquet"), 1, 10, false);
    let map = "domain = 'city'\n[[column]]\nname = 'case'\nclass = 'name'\n";
    tokenize(&house, "in.parquet", map).refused("column `case` holds no strings");
    tidy(&house);
}
