//! Zstandard, as files of measurements have it: frames that are whole lines each.

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::error::Error;
use std::io::{self, Read};

/// One frame of these bytes, with a checksum.
pub(super) fn frame_of(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
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

    /// What comes after the frame, once the frame was read to its end.
    pub(super) fn into_inner(self) -> R {
        self.from
    }

    /// Checks that a frame that has ended is as it was written.
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

/// The error of reading the input, where that is why a frame can't be decompressed.
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

    fn text_of(frame: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Decoder::new(frame).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn what_was_written_is_read() {
        for text in ["a", "one line\n", &"many lines\n".repeat(50_000)] {
            assert_eq!(text_of(&frame_of(text.as_bytes())).expect("read"), *text);
        }
    }

    #[test]
    fn a_frame_is_read_to_its_last_byte_and_no_farther() {
        let both = [frame_of(b"first"), b"rest".to_vec()].concat();
        let mut decoder = Decoder::new(both.as_slice());
        let mut text = String::new();
        decoder.read_to_string(&mut text).expect("read");
        assert_eq!((text.as_str(), decoder.into_inner()), ("first", b"rest".as_slice()));
    }

    #[test]
    fn a_frame_that_is_cut_off_ends_too_soon() {
        let whole = frame_of("some line\n".repeat(100).as_bytes());
        for length in 1..whole.len() {
            let error = text_of(&whole[..length]).expect_err("cut");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length}: {error}");
        }
    }

    #[test]
    fn a_damaged_byte_is_noticed() {
        let whole = frame_of("{\"offset_ns\":17}\n".repeat(20).as_bytes());
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
