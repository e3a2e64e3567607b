//! The output of Parquet runs: one row group as a file of its own, and all of them joined.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::Type;
use ::parquet::bloom_filter::Sbbf;
use ::parquet::column::reader::{ColumnReader, get_typed_column_reader};
use ::parquet::column::writer::{ColumnCloseResult, ColumnWriterImpl};
use ::parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type, Int96Type,
};
use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use ::parquet::file::reader::FileReader;
use ::parquet::file::serialized_reader::SerializedFileReader;
use ::parquet::file::writer::{
    SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter,
};
use anyhow::Context;

use super::Source;
use super::choice::Choice;
use super::spool::{Kept, Spool};

/// Rows written at a time.
const ROWS: usize = 1_024;

/// Writes one row group, durably: a file that is there is whole.
pub(super) fn write(
    path: &Path,
    source: &Source,
    choice: &Choice,
    group: usize,
    mut spool: Spool,
    mode: u32,
) -> anyhow::Result<()> {
    let columns = source.metadata.row_group(group);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path);
    let file = file.with_context(|| format!("`{}` can't be written", path.display()))?;
    let mut writer = writer(source, file.try_clone()?, properties(Some(columns)))?;
    if spool.kept() > 0 {
        let reader = SerializedFileReader::new(source.file.try_clone()?)?;
        let rows = reader.get_row_group(group)?;
        let mut out = writer.next_row_group()?;
        for leaf in 0..columns.num_columns() {
            if let Some(column) = choice.column_of(leaf) {
                let kept = spool.column(column)?;
                replaced(&mut out, kept, spool.kept(), choice.defined[column])?;
            } else if spool.dropped.contains(&true) {
                filtered(
                    &mut out,
                    rows.get_column_reader(leaf)?,
                    columns,
                    leaf,
                    &spool.dropped,
                )?;
            } else {
                copied(&mut out, source, group, leaf)?;
            }
        }
        out.close()?;
    }
    writer.close()?;
    file.sync_all()?;
    Ok(())
}

/// Writes all segments as one file. Schema and metadata of the input are kept.
pub(super) fn join(
    path: &Path,
    source: &Source,
    choice: &Choice,
    segments: &[PathBuf],
    mode: u32,
) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    let metadata = source.metadata.file_metadata();
    let properties = properties(None)
        .set_key_value_metadata(metadata.key_value_metadata().cloned())
        .set_sorting_columns(sorting(source, choice));
    let mut writer = writer(source, file.try_clone()?, properties)?;
    for segment in segments {
        let segment = Source::open(segment)?;
        for (group, columns) in segment.metadata.row_groups().iter().enumerate() {
            let mut out = writer.next_row_group()?;
            for leaf in 0..columns.num_columns() {
                copied(&mut out, &segment, group, leaf)?;
            }
            out.close()?;
        }
    }
    writer.close()?;
    file.sync_all()?;
    Ok(())
}

fn writer(
    source: &Source,
    file: File,
    properties: WriterPropertiesBuilder,
) -> anyhow::Result<SerializedFileWriter<File>> {
    let schema = source
        .metadata
        .file_metadata()
        .schema_descr()
        .root_schema_ptr();
    Ok(SerializedFileWriter::new(
        file,
        schema,
        Arc::new(properties.build()),
    )?)
}

/// Each column is compressed as it was.
fn properties(columns: Option<&RowGroupMetaData>) -> WriterPropertiesBuilder {
    let mut properties =
        WriterProperties::builder().set_created_by(format!("jinku {}", env!("CARGO_PKG_VERSION")));
    for column in columns.iter().flat_map(|group| group.columns()) {
        let path = column.column_path().clone();
        properties = properties.set_column_compression(path, column.compression());
    }
    properties
}

/// How rows are sorted, where no column of it is replaced.
fn sorting(
    source: &Source,
    choice: &Choice,
) -> Option<Vec<::parquet::file::metadata::SortingColumn>> {
    let mut groups = source.metadata.row_groups().iter();
    let first = groups.next()?.sorting_columns()?;
    let alike = groups.all(|group| group.sorting_columns() == Some(first));
    let leaf = |index: i32| usize::try_from(index).ok();
    let replaced = |index: i32| leaf(index).is_none_or(|leaf| choice.column_of(leaf).is_some());
    let stays = first.iter().all(|column| !replaced(column.column_idx));
    (alike && stays).then(|| first.clone())
}

/// A column chunk as it is encoded, page for page.
fn copied(
    out: &mut SerializedRowGroupWriter<'_, File>,
    source: &Source,
    group: usize,
    leaf: usize,
) -> anyhow::Result<()> {
    let rows = source.metadata.row_group(group);
    let column = rows.column(leaf);
    let index = source.metadata.page_index();
    let close = ColumnCloseResult {
        bytes_written: u64::try_from(column.compressed_size())?,
        rows_written: u64::try_from(rows.num_rows())?,
        metadata: column.clone(),
        bloom_filter: Sbbf::read_from_column_chunk(column, &source.file)
            .ok()
            .flatten(),
        column_index: index.and_then(|i| i.column_index(group, leaf)).cloned(),
        offset_index: index.and_then(|i| i.offset_index(group, leaf)).cloned(),
    };
    Ok(out.append_column(&source.file, close)?)
}

/// A chosen column, as it came back.
fn replaced(
    out: &mut SerializedRowGroupWriter<'_, File>,
    mut kept: Kept,
    rows: usize,
    defined: i16,
) -> anyhow::Result<()> {
    let mut column = next(out)?;
    let mut left = rows;
    while left > 0 {
        let count = left.min(ROWS);
        let (levels, values) = kept.rows(count)?;
        let values: Vec<ByteArray> = values.into_iter().map(ByteArray::from).collect();
        let levels = (defined > 0).then_some(levels.as_slice());
        column
            .typed::<ByteArrayType>()
            .write_batch(&values, levels, None)?;
        left -= count;
    }
    Ok(column.close()?)
}

fn next<'a>(
    out: &'a mut SerializedRowGroupWriter<'_, File>,
) -> anyhow::Result<SerializedColumnWriter<'a>> {
    out.next_column()?
        .context("the schema has fewer columns than the file")
}

/// A column without the rows that were set aside.
fn filtered(
    out: &mut SerializedRowGroupWriter<'_, File>,
    reader: ColumnReader,
    columns: &RowGroupMetaData,
    leaf: usize,
    dropped: &[bool],
) -> anyhow::Result<()> {
    let descriptor = columns.column(leaf).column_descr();
    let levels = (descriptor.max_def_level(), descriptor.max_rep_level());
    let mut column = next(out)?;
    match descriptor.physical_type() {
        Type::BOOLEAN => sift::<BoolType>(reader, column.typed(), levels, dropped)?,
        Type::INT32 => sift::<Int32Type>(reader, column.typed(), levels, dropped)?,
        Type::INT64 => sift::<Int64Type>(reader, column.typed(), levels, dropped)?,
        Type::INT96 => sift::<Int96Type>(reader, column.typed(), levels, dropped)?,
        Type::FLOAT => sift::<FloatType>(reader, column.typed(), levels, dropped)?,
        Type::DOUBLE => sift::<DoubleType>(reader, column.typed(), levels, dropped)?,
        Type::BYTE_ARRAY => sift::<ByteArrayType>(reader, column.typed(), levels, dropped)?,
        Type::FIXED_LEN_BYTE_ARRAY => {
            sift::<FixedLenByteArrayType>(reader, column.typed(), levels, dropped)?;
        }
    }
    Ok(column.close()?)
}

fn sift<T: DataType>(
    reader: ColumnReader,
    out: &mut ColumnWriterImpl<'_, T>,
    (defined, repeated): (i16, i16),
    dropped: &[bool],
) -> anyhow::Result<()> {
    let mut reader = get_typed_column_reader::<T>(reader);
    let mut row = 0;
    while row < dropped.len() {
        let (mut defs, mut reps, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let read = reader.read_records(ROWS, Some(&mut defs), Some(&mut reps), &mut values);
        let (records, _, _) = read.context("a column can't be read")?;
        anyhow::ensure!(
            records > 0,
            "a column ends before its row group does: the file is damaged"
        );
        let kept = Sifted::of(
            (defs, reps, values),
            defined,
            (repeated, records),
            &dropped[row..],
        );
        let defs = (defined > 0).then_some(kept.defs.as_slice());
        let reps = (repeated > 0).then_some(kept.reps.as_slice());
        out.write_batch(&kept.values, defs, reps)?;
        row += records;
    }
    Ok(())
}

/// What is left of some records.
struct Sifted<V> {
    defs: Vec<i16>,
    reps: Vec<i16>,
    values: Vec<V>,
}

impl<V> Sifted<V> {
    /// A record begins at each repetition level 0; a value stands where the definition level is the highest.
    fn of(
        (defs, reps, values): (Vec<i16>, Vec<i16>, Vec<V>),
        defined: i16,
        (repeated, records): (i16, usize),
        dropped: &[bool],
    ) -> Self {
        let mut kept = Self {
            defs: Vec::new(),
            reps: Vec::new(),
            values: Vec::new(),
        };
        let levels = if defined > 0 { defs.len() } else { records };
        let mut values = values.into_iter();
        let mut record = 0;
        for place in 0..levels {
            let begins = repeated == 0 || reps.get(place) == Some(&0);
            record += usize::from(begins);
            let def = defs.get(place).copied().unwrap_or(defined);
            let value = (def == defined).then(|| values.next()).flatten();
            // Records count from 1 here: the first has begun.
            if dropped.get(record.wrapping_sub(1)) == Some(&false) {
                kept.defs.push(def);
                kept.reps.extend(reps.get(place));
                kept.values.extend(value);
            }
        }
        kept
    }
}
