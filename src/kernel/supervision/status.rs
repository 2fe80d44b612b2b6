//! `struct stat` and `struct statx` as the calls of each architecture fill them in.
//!
//! The sources are the kernel's `arch/x86/include/uapi/asm/stat.h`,
//! `include/uapi/asm-generic/stat.h` and `include/uapi/linux/stat.h`.

use super::abi::StatLayout;
use nix::sys::stat::FileStat;

/// A field of a struct: where it begins, and its bytes, the lowest first.
struct Fields<'a>(&'a mut [u8]);

impl Fields<'_> {
    /// Writes a number of this many bytes.
    fn put(&mut self, at: usize, bytes: usize, value: u64) {
        let whole = value.to_le_bytes();
        let room = self.0.get_mut(at..at + bytes).unwrap_or_default();
        room.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    }
}

/// `struct stat` in this layout. All architectures that have one here are little-endian.
pub(crate) fn stat(layout: StatLayout, of: &FileStat) -> Vec<u8> {
    let number = Numbers::of(of);
    let (length, word) = match layout {
        StatLayout::X86 => (144, 8),
        StatLayout::Generic => (128, 8),
        StatLayout::I386 => (96, 4),
    };
    let mut bytes = vec![0; length];
    let mut fields = Fields(&mut bytes);
    fields.put(0, 8, number.device);
    let times = match layout {
        StatLayout::X86 => {
            fields.put(8, 8, number.inode);
            fields.put(16, 8, number.links);
            fields.put(24, 4, of.st_mode.into());
            fields.put(28, 4, of.st_uid.into());
            fields.put(32, 4, of.st_gid.into());
            fields.put(40, 8, number.is_device);
            fields.put(48, 8, number.size);
            fields.put(56, 8, number.block);
            fields.put(64, 8, number.blocks);
            72
        }
        StatLayout::Generic => {
            fields.put(8, 8, number.inode);
            fields.put(16, 4, of.st_mode.into());
            fields.put(20, 4, number.links);
            fields.put(24, 4, of.st_uid.into());
            fields.put(28, 4, of.st_gid.into());
            fields.put(32, 8, number.is_device);
            fields.put(48, 8, number.size);
            fields.put(56, 4, number.block);
            fields.put(64, 8, number.blocks);
            72
        }
        StatLayout::I386 => {
            fields.put(12, 4, number.inode);
            fields.put(16, 4, of.st_mode.into());
            fields.put(20, 4, number.links);
            fields.put(24, 4, of.st_uid.into());
            fields.put(28, 4, of.st_gid.into());
            fields.put(32, 8, number.is_device);
            fields.put(44, 8, number.size);
            fields.put(52, 4, number.block);
            fields.put(56, 8, number.blocks);
            fields.put(88, 8, number.inode);
            64
        }
    };
    for (place, (seconds, nanoseconds)) in number.times.into_iter().enumerate() {
        fields.put(times + 2 * word * place, word, seconds);
        fields.put(times + 2 * word * place + word, word, nanoseconds);
    }
    bytes
}

/// `STATX_BASIC_STATS`: what is filled in.
const BASIC: u64 = 0x7ff;

/// `struct statx`, which is the same everywhere.
pub(crate) fn statx(of: &FileStat) -> Vec<u8> {
    let number = Numbers::of(of);
    let mut bytes = vec![0; 256];
    let mut fields = Fields(&mut bytes);
    fields.put(0, 4, BASIC);
    fields.put(4, 4, number.block);
    fields.put(16, 4, number.links);
    fields.put(20, 4, of.st_uid.into());
    fields.put(24, 4, of.st_gid.into());
    fields.put(28, 2, of.st_mode.into());
    fields.put(32, 8, number.inode);
    fields.put(40, 8, number.size);
    fields.put(48, 8, number.blocks);
    // Access, birth, change, modification; nobody knows of a birth.
    for (at, (seconds, nanoseconds)) in [64, 112, 96].into_iter().zip(number.times) {
        fields.put(at, 8, seconds);
        fields.put(at + 8, 4, nanoseconds);
    }
    fields.put(128, 4, libc::major(of.st_rdev).into());
    fields.put(132, 4, libc::minor(of.st_rdev).into());
    fields.put(136, 4, libc::major(of.st_dev).into());
    fields.put(140, 4, libc::minor(of.st_dev).into());
    bytes
}

/// A file's numbers in 64 bits, whatever the C library has.
struct Numbers {
    device: u64,
    inode: u64,
    links: u64,
    is_device: u64,
    size: u64,
    block: u64,
    blocks: u64,
    /// Of access, modification and change, as seconds and nanoseconds.
    times: [(u64, u64); 3],
}

/// A number in 64 bits, of which a negative one has the same as in fewer.
fn bits(number: impl Into<i128>) -> u64 {
    u64::try_from(number.into() & i128::from(u64::MAX)).unwrap_or_default()
}

impl Numbers {
    fn of(of: &FileStat) -> Self {
        Self {
            device: bits(of.st_dev),
            inode: bits(of.st_ino),
            links: bits(of.st_nlink),
            is_device: bits(of.st_rdev),
            size: bits(of.st_size),
            block: bits(of.st_blksize),
            blocks: bits(of.st_blocks),
            times: [
                (bits(of.st_atime), bits(of.st_atime_nsec)),
                (bits(of.st_mtime), bits(of.st_mtime_nsec)),
                (bits(of.st_ctime), bits(of.st_ctime_nsec)),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(miri, ignore = "Miri doesn't know this call")]
    #[test]
    fn a_character_device_is_told_by_its_mode_and_numbers() {
        let bytes = statx(&nix::sys::stat::stat("/dev/null").expect("there"));
        assert_eq!(bytes.len(), 256);
        assert_eq!(bytes[29] >> 4, 2, "S_IFCHR");
        assert_eq!((bytes[128], bytes[132]), (1, 3));
        assert_eq!(bits(-1_i32), u64::MAX);
    }

    /// The second source: the C library's own struct, filled in by the kernel.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[cfg_attr(miri, ignore = "Miri doesn't know this call")]
    #[test]
    fn the_struct_of_this_architecture_is_the_c_librarys() {
        use std::mem::offset_of;
        let found = nix::sys::stat::stat("/dev/null").expect("there");
        let layout = crate::kernel::supervision::abi::known()[0].stat;
        let bytes = stat(layout, &found);
        assert_eq!(bytes.len(), size_of::<libc::stat>());
        let number = |at: usize, length: usize| {
            let mut whole = [0; 8];
            whole[..length].copy_from_slice(&bytes[at..at + length]);
            u64::from_le_bytes(whole)
        };
        assert_eq!(number(offset_of!(libc::stat, st_rdev), 8), found.st_rdev);
        assert_eq!(number(offset_of!(libc::stat, st_mode), 4), u64::from(found.st_mode));
        assert_eq!(number(offset_of!(libc::stat, st_ino), 8), found.st_ino);
        assert_eq!(number(offset_of!(libc::stat, st_blksize), 4), 4_096);
        let changed = number(offset_of!(libc::stat, st_ctime), 8);
        assert_eq!(changed, found.st_ctime.cast_unsigned());
    }
}
