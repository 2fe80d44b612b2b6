//! The memory of another process.

#![expect(unsafe_code, reason = "takes the bytes of the kernel's structs")]

use super::timex32::{Timespec32, Timex32};
use crate::kernel::Result;
use crate::kernel::uapi::{
    ExttsEvent, ptp_clock_caps, ptp_extts_request, ptp_perout_request, ptp_pin_desc,
    ptp_sys_offset, ptp_sys_offset_extended, ptp_sys_offset_precise, timespec, timex,
};
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

/// A struct of the kernel's interface: integers only, and no padding between them.
///
/// # Safety
///
/// Any bytes must be one of these, and each of its bytes must belong to a field.
pub(crate) unsafe trait Plain: Sized {
    /// Its bytes.
    fn bytes(&self) -> &[u8] {
        let bytes = std::ptr::from_ref(self).cast();
        // SAFETY: it has no padding, so all bytes of it are there to be read.
        unsafe { std::slice::from_raw_parts(bytes, size_of::<Self>()) }
    }
}

macro_rules! plain {
    ($($type:ty),* $(,)?) => {
        $(
            // SAFETY: a struct of integers without padding, by its definition in the kernel.
            unsafe impl Plain for $type {}
        )*
    };
}
plain!(
    u32,
    i32,
    u64,
    i64,
    [u8; 16],
    [u8; 128],
    [u8; 144],
    [u8; 256],
    [i32; 3],
    [u32; 11],
    [u64; 3],
    timespec,
    timex,
    Timespec32,
    Timex32,
    ExttsEvent,
    ptp_clock_caps,
    ptp_extts_request,
    ptp_perout_request,
    ptp_pin_desc,
    ptp_sys_offset,
    ptp_sys_offset_extended,
    ptp_sys_offset_precise,
);

/// The longest path that the kernel takes, with its end.
const PATH_MAX: usize = libc::PATH_MAX as usize;
const PAGE: u64 = 4_096;

/// A thread, whose memory is read and written with the rights of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory(pub(crate) i32);

impl Memory {
    /// # Errors
    ///
    /// `EFAULT` for an address where nothing is, `EPERM` where the process may not be read.
    pub(crate) fn read<T: Plain>(self, from: u64) -> Result<T> {
        let mut value = MaybeUninit::<T>::zeroed();
        let into = value.as_mut_ptr().cast();
        // SAFETY: the bytes of `value`, all of them 0.
        let bytes = unsafe { std::slice::from_raw_parts_mut(into, size_of::<T>()) };
        self.read_bytes(from, bytes)?;
        // SAFETY: any bytes are one of these.
        Ok(unsafe { value.assume_init() })
    }

    pub(crate) fn write<T: Plain>(self, to: u64, value: &T) -> Result<()> {
        self.write_bytes(to, value.bytes())
    }

    pub(crate) fn read_bytes(self, from: u64, into: &mut [u8]) -> Result<()> {
        let remote = [RemoteIoVec { base: address(from)?, len: into.len() }];
        let wanted = into.len();
        let read = process_vm_readv(self.process(), &mut [IoSliceMut::new(into)], &remote)?;
        if read == wanted { Ok(()) } else { Err(Errno::EFAULT) }
    }

    pub(crate) fn write_bytes(self, to: u64, bytes: &[u8]) -> Result<()> {
        let remote = [RemoteIoVec { base: address(to)?, len: bytes.len() }];
        let written = process_vm_writev(self.process(), &[IoSlice::new(bytes)], &remote)?;
        if written == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// A path, without its end.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG`, and as for [`Memory::read`].
    pub(crate) fn path(self, from: u64) -> Result<Vec<u8>> {
        let mut path = Vec::new();
        let mut at = from;
        while path.len() < PATH_MAX {
            // Up to the end of a page: the next one may not be there.
            let mut piece = [0; 256];
            let left_of_page = usize::try_from(PAGE - at % PAGE).unwrap_or(1);
            let length = left_of_page.min(piece.len()).min(PATH_MAX - path.len());
            let piece = piece.get_mut(..length).unwrap_or_default();
            self.read_bytes(at, piece)?;
            if let Some(end) = piece.iter().position(|byte| *byte == 0) {
                path.extend(piece.iter().take(end));
                return Ok(path);
            }
            path.extend_from_slice(piece);
            at = at.checked_add(length as u64).ok_or(Errno::EFAULT)?;
        }
        Err(Errno::ENAMETOOLONG)
    }

    fn process(self) -> Pid {
        Pid::from_raw(self.0)
    }
}

fn address(at: u64) -> Result<usize> {
    usize::try_from(at).map_err(|_| Errno::EFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::uapi;

    fn own() -> Memory {
        Memory(i32::try_from(std::process::id()).expect("a number"))
    }

    #[cfg_attr(miri, ignore = "Miri doesn't know this call")]
    #[test]
    fn a_struct_is_read_and_written_whole() {
        let caps = ptp_clock_caps { n_pins: 4, ..uapi::clock_caps() };
        let at = &raw const caps as u64;
        assert_eq!(own().read::<ptp_clock_caps>(at).expect("read").n_pins, 4);
        let mut number = 0_u64;
        own().write(&raw mut number as u64, &7_u64).expect("written");
        assert_eq!(number, 7);
        assert_eq!(own().read::<u64>(8).err(), Some(Errno::EFAULT));
    }

    #[cfg_attr(miri, ignore = "Miri doesn't know this call")]
    #[test]
    fn a_path_ends_at_its_zero() {
        let text = b"/dev/ptp0\0more";
        assert_eq!(own().path(text.as_ptr() as u64), Ok(b"/dev/ptp0".to_vec()));
        let endless = vec![b'a'; 8_192];
        assert_eq!(own().path(endless.as_ptr() as u64), Err(Errno::ENAMETOOLONG));
        assert_eq!(own().path(1), Err(Errno::EFAULT));
    }
}
