//! JSON on one line, as results and recordings have it.

#[cfg(feature = "recordings")]
mod write;

#[cfg(feature = "recordings")]
pub(crate) use write::write_line;

/// The version of the keys: in every single object, and in the first line of a stream. ptpctl 0.1
/// wrote no version.
pub(crate) const SCHEMA: u32 = 2;
