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

/// A file's status, in 64 bits whatever the C library has.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    device: u64,
    inode: u64,
    links: u64,
    mode: u64,
    owner: u64,
    group: u64,
    /// The numbers of a device, if it is one.
    numbers: u64,
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

impl Status {
    pub(crate) fn of(found: &FileStat) -> Self {
        Self {
            device: bits(found.st_dev),
            inode: bits(found.st_ino),
            links: bits(found.st_nlink),
            mode: bits(found.st_mode),
            owner: bits(found.st_uid),
            group: bits(found.st_gid),
            numbers: bits(found.st_rdev),
            size: bits(found.st_size),
            block: bits(found.st_blksize),
            blocks: bits(found.st_blocks),
            times: [
                (bits(found.st_atime), bits(found.st_atime_nsec)),
                (bits(found.st_mtime), bits(found.st_mtime_nsec)),
                (bits(found.st_ctime), bits(found.st_ctime_nsec)),
            ],
        }
    }

    /// The same, of a character device with these numbers that everybody may read and write.
    pub(crate) fn into_device(self, major: u32, minor: u32) -> Self {
        let mode = u64::from(libc::S_IFCHR | 0o666);
        let inode = self.inode.wrapping_add(1_000 + u64::from(minor));
        Self { mode, inode, numbers: libc::makedev(major, minor), ..self }
    }
}

/// Where the fields of a `struct stat` are, and how many bytes they have.
struct Layout {
    length: usize,
    /// Of the inode; i386 has its lowest half once more, at the place where it used to be.
    inode: &'static [(usize, usize)],
    mode: usize,
    links: (usize, usize),
    /// Of the owner, 4 bytes before the group.
    owner: usize,
    numbers: usize,
    size: usize,
    block: (usize, usize),
    blocks: usize,
    /// Of the times, one behind the other, and the bytes of each of their numbers.
    times: (usize, usize),
}

const X86: Layout = Layout {
    length: 144,
    inode: &[(8, 8)],
    links: (16, 8),
    mode: 24,
    owner: 28,
    numbers: 40,
    size: 48,
    block: (56, 8),
    blocks: 64,
    times: (72, 8),
};
const GENERIC: Layout =
    Layout { length: 128, mode: 16, links: (20, 4), owner: 24, numbers: 32, block: (56, 4), ..X86 };
const I386: Layout = Layout {
    length: 96,
    inode: &[(12, 4), (88, 8)],
    size: 44,
    block: (52, 4),
    blocks: 56,
    times: (64, 4),
    ..GENERIC
};

/// `struct stat` in this layout. All architectures that have one here are little-endian.
pub(crate) fn stat(layout: StatLayout, of: &Status) -> Vec<u8> {
    let layout = match layout {
        StatLayout::X86 => X86,
        StatLayout::Generic => GENERIC,
        StatLayout::I386 => I386,
    };
    let mut bytes = vec![0; layout.length];
    let mut fields = Fields(&mut bytes);
    fields.put(0, 8, of.device);
    for (at, length) in layout.inode {
        fields.put(*at, *length, of.inode);
    }
    fields.put(layout.mode, 4, of.mode);
    fields.put(layout.links.0, layout.links.1, of.links);
    fields.put(layout.owner, 4, of.owner);
    fields.put(layout.owner + 4, 4, of.group);
    fields.put(layout.numbers, 8, of.numbers);
    fields.put(layout.size, 8, of.size);
    fields.put(layout.block.0, layout.block.1, of.block);
    fields.put(layout.blocks, 8, of.blocks);
    let (times, word) = layout.times;
    for (place, (seconds, nanoseconds)) in of.times.into_iter().enumerate() {
        fields.put(times + 2 * word * place, word, seconds);
        fields.put(times + 2 * word * place + word, word, nanoseconds);
    }
    bytes
}

/// `STATX_BASIC_STATS`: what is filled in.
const BASIC: u64 = 0x7ff;

/// `struct statx`, which is the same everywhere.
pub(crate) fn statx(of: &Status) -> Vec<u8> {
    let mut bytes = vec![0; 256];
    let mut fields = Fields(&mut bytes);
    fields.put(0, 4, BASIC);
    fields.put(4, 4, of.block);
    fields.put(16, 4, of.links);
    fields.put(20, 4, of.owner);
    fields.put(24, 4, of.group);
    fields.put(28, 2, of.mode);
    fields.put(32, 8, of.inode);
    fields.put(40, 8, of.size);
    fields.put(48, 8, of.blocks);
    // Access, birth, change, modification; nobody knows of a birth.
    for (at, (seconds, nanoseconds)) in [64, 112, 96].into_iter().zip(of.times) {
        fields.put(at, 8, seconds);
        fields.put(at + 8, 4, nanoseconds);
    }
    fields.put(128, 4, libc::major(of.numbers).into());
    fields.put(132, 4, libc::minor(of.numbers).into());
    fields.put(136, 4, libc::major(of.device).into());
    fields.put(140, 4, libc::minor(of.device).into());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(miri, ignore = "Miri doesn't know this call")]
    #[test]
    fn a_character_device_is_told_by_its_mode_and_numbers() {
        let found = nix::sys::stat::stat("/dev/null").expect("there");
        let bytes = statx(&Status::of(&found));
        assert_eq!(bytes.len(), 256);
        assert_eq!(bytes[29] >> 4, 2, "S_IFCHR");
        assert_eq!((bytes[128], bytes[132]), (1, 3));
        assert_eq!(bits(-1_i32), u64::MAX);
        let bytes = statx(&Status::of(&found).into_device(250, 7));
        assert_eq!((bytes[128], bytes[132]), (250, 7));
    }

    /// The second source: the C library's own struct, filled in by the kernel.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[cfg_attr(miri, ignore = "Miri doesn't know this call")]
    #[test]
    fn the_struct_of_this_architecture_is_the_c_librarys() {
        use std::mem::offset_of;
        let found = nix::sys::stat::stat("/dev/null").expect("there");
        let layout = crate::kernel::supervision::abi::known()[0].stat;
        let bytes = stat(layout, &Status::of(&found));
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
