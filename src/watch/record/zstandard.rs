//! Zstandard, as files of measurements have it: frames that are whole lines each.

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::error::Error;
use std::io::{self, Read, Write};

/// Compresses what is written: a frame each time that it is flushed.
pub(super) struct Encoder<W> {
    to: W,
    /// What the next frame will have.
    pending: Vec<u8>,
}

/// A frame is no longer than this and a line.
const FRAME: usize = 1 << 20;

impl<W: Write> Encoder<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, pending: Vec::new() }
    }

    /// Ends the last frame.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= FRAME && bytes.ends_with(b"\n") {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.pending.is_empty() {
            let frame = compress_to_vec(self.pending.as_slice(), CompressionLevel::Fastest);
            // It was handed on, even where the disk is full: nothing is written twice.
            self.pending.clear();
            self.to.write_all(&frame)?;
        }
        self.to.flush()
    }
}

/// Decompresses one frame.
pub(super) struct Decoder<R> {
    from: R,
    frame: FrameDecoder,
    has_begun: bool,
}

impl<R: Read> Decoder<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, frame: FrameDecoder::new(), has_begun: false }
    }

    /// What comes behind the frame, once it was read to its end.
    pub(super) fn into_inner(self) -> R {
        self.from
    }

    /// A frame that is at its end is as it was written.
    fn check(&self) -> io::Result<()> {
        let told = self.frame.get_checksum_from_data();
        match told {
            Some(told) if self.frame.get_calculated_checksum() != Some(told) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.has_begun {
            self.has_begun = true;
            self.frame.init(&mut self.from).map_err(of_input)?;
        }
        while self.frame.can_collect() == 0 {
            if self.frame.is_finished() {
                self.check()?;
                return Ok(0);
            }
            let one = BlockDecodingStrategy::UptoBlocks(1);
            self.frame.decode_blocks(&mut self.from, one).map_err(of_input)?;
        }
        self.frame.read(into)
    }
}

/// What reading the input answered, where that is why a frame can't be decompressed.
fn of_input(error: impl Error + Send + Sync + 'static) -> io::Error {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(one) = cause {
        if let Some(input) = one.downcast_ref::<io::Error>() {
            return input.raw_os_error().map_or(input.kind().into(), io::Error::from_raw_os_error);
        }
        cause = one.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_of(text: &str) -> Vec<u8> {
        let mut to = Vec::new();
        let mut encoder = Encoder::new(&mut to);
        encoder.write_all(text.as_bytes()).expect("written");
        encoder.finish().expect("ended");
        to
    }

    fn text_of(frame: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Decoder::new(frame).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn what_was_written_is_read() {
        for text in ["a", "one line\n", &"many lines\n".repeat(50_000)] {
            assert_eq!(text_of(&frame_of(text)).expect("read"), *text);
        }
    }

    #[test]
    fn a_frame_is_read_to_its_last_byte_and_no_farther() {
        let both = [frame_of("first"), b"rest".to_vec()].concat();
        let mut decoder = Decoder::new(both.as_slice());
        let mut text = String::new();
        decoder.read_to_string(&mut text).expect("read");
        assert_eq!((text.as_str(), decoder.into_inner()), ("first", b"rest".as_slice()));
    }

    #[test]
    fn a_frame_that_is_cut_off_ends_too_soon() {
        let whole = frame_of(&"some line\n".repeat(100));
        for length in 1..whole.len() {
            let error = text_of(&whole[..length]).expect_err("cut");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length}: {error}");
        }
    }

    #[test]
    fn a_damaged_byte_is_noticed() {
        let whole = frame_of(&"{\"offset_ns\":17}\n".repeat(20));
        for place in 4..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            let read = text_of(&damaged);
            let is_as_before =
                read.as_ref().is_ok_and(|text| text_of(&whole).is_ok_and(|t| t == *text));
            assert!(read.is_err() || is_as_before, "{place}: {read:?}");
        }
    }

    #[test]
    fn what_the_input_answers_is_passed_on() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
        }
        let error = Decoder::new(Broken).read(&mut [0; 8]).expect_err("EIO");
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
    }

    /// A frame of the reference implementation at its default level, with a checksum.
    #[test]
    fn frames_that_libzstd_wrote_are_read() {
        let frame = include_bytes!("libzstd.zst");
        let text = text_of(frame).expect("read");
        assert_eq!(text.lines().count(), 200);
        assert!(text.lines().all(|line| line.starts_with("{\"device\":\"mock:igb")), "{text}");
    }
}
