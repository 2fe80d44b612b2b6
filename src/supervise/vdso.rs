//! The vDSO: the kernel's code in each program that reads the clocks without a system call, which
//! no supervisor would see.
//!
//! When a program begins (it sets up its thread's memory by a call that the filter marks), the
//! vDSO's functions for clocks are replaced by system calls. Children have the changed one, too.
//!
//! The sources are vdso(7), and elf(5) for its tables.

use super::guest::Guest;
use crate::kernel::Result;
use crate::kernel::supervision::abi::{AUDIT_ARCH_AARCH64, Abi, Syscall, Word};
use crate::kernel::supervision::tracing;
use nix::errno::Errno;
use nix::unistd::Pid;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// The functions that tell the system's time, and what they do.
const FUNCTIONS: [(&str, Syscall); 6] = [
    ("__vdso_clock_gettime", Syscall::ClockGettime(Word::Bits64)),
    ("__vdso_clock_gettime64", Syscall::ClockGettime(Word::Bits64)),
    ("__vdso_gettimeofday", Syscall::Gettimeofday),
    ("__vdso_time", Syscall::Time),
    // As arm64 calls them.
    ("__kernel_clock_gettime", Syscall::ClockGettime(Word::Bits64)),
    ("__kernel_gettimeofday", Syscall::Gettimeofday),
];

/// `PT_DYNAMIC` of a program header, and the tags of the tables in it.
const DYNAMIC: u64 = 2;
const STRINGS: u64 = 5;
const SYMBOLS: u64 = 6;
/// What a vDSO has at most.
const MOST_BYTES: u64 = 1 << 16;

/// Replaces the functions of the program that makes this call.
///
/// # Errors
///
/// `ENOENT` where the program has no vDSO, `ENOEXEC` where it isn't as expected, and the errors of
/// writing to a program's memory.
pub(super) fn replace(guest: &Guest<'_>) -> Result<()> {
    let thread = guest.call.thread;
    let maps = fs::read_to_string(format!("/proc/{thread}/maps")).map_err(|_| Errno::ENOENT)?;
    let (start, end) = range(&maps).ok_or(Errno::ENOENT)?;
    let length = end.checked_sub(start).filter(|length| *length <= MOST_BYTES);
    let length = usize::try_from(length.ok_or(Errno::ENOEXEC)?).map_err(|_| Errno::ENOEXEC)?;
    let mut image = vec![0; length];
    guest.read_bytes(start, &mut image)?;
    let patches = patches(&image, guest.abi).ok_or(Errno::ENOEXEC)?;
    if patches.is_empty() {
        return Ok(());
    }
    match write(thread, start, &patches) {
        // From Linux 6.12 on a kernel may allow this to the program's tracer only.
        Err(Errno::EIO) => write_as_tracer(thread, start, &patches),
        written => written,
    }
}

fn write(thread: i32, start: u64, patches: &[(u64, Vec<u8>)]) -> Result<()> {
    let errno = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let memory = OpenOptions::new().write(true).open(format!("/proc/{thread}/mem"));
    let memory = memory.map_err(errno)?;
    for (offset, code) in patches {
        memory.write_all_at(code, start + offset).map_err(errno)?;
    }
    Ok(())
}

/// Becomes the thread's tracer to write. The thread stops when its call has ended, and is let go
/// then.
fn write_as_tracer(thread: i32, start: u64, patches: &[(u64, Vec<u8>)]) -> Result<()> {
    let process = Pid::from_raw(thread);
    tracing::attach(process)?;
    let written = write(thread, start, patches);
    tracing::interrupt(process)?;
    written
}

/// Where the vDSO is, by the text of `/proc/PID/maps`.
fn range(maps: &str) -> Option<(u64, u64)> {
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}

/// A file of the loader's, of 32 or of 64 bits, in memory.
struct Image<'a> {
    bytes: &'a [u8],
    word: Word,
}

impl Image<'_> {
    /// A number of this many bytes.
    fn number(&self, at: u64, bytes: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let found = self.bytes.get(at..at.checked_add(bytes)?)?;
        Some(found.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A number as wide as an address.
    fn word(&self, at: u64) -> Option<u64> {
        self.number(at, if self.is_wide() { 8 } else { 4 })
    }

    fn size(&self) -> u64 {
        if self.is_wide() { 8 } else { 4 }
    }

    fn is_wide(&self) -> bool {
        self.word == Word::Bits64
    }

    /// Where a table is that the dynamic section names.
    fn table(&self, tag: u64) -> Option<u64> {
        let wide = self.is_wide();
        let headers = self.word(if wide { 32 } else { 28 })?;
        let size = self.number(if wide { 54 } else { 42 }, 2)?;
        let count = self.number(if wide { 56 } else { 44 }, 2)?;
        let mut all = (0..count).map(|header| headers.wrapping_add(header * size));
        let dynamic = all.find(|header| self.number(*header, 4) == Some(DYNAMIC))?;
        let at = self.word(dynamic.wrapping_add(if wide { 8 } else { 4 }))?;
        let mut entries = (0..64).map(|entry| at.wrapping_add(entry * 2 * self.size()));
        let found = entries.find(|entry| self.word(*entry) == Some(tag))?;
        self.word(found.wrapping_add(self.size()))
    }

    fn name(&self, at: u64) -> Option<&str> {
        let rest = self.bytes.get(usize::try_from(at).ok()?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(rest.get(..end)?).ok()
    }

    /// The functions: name, place and length. The names follow the symbols, as linkers have it.
    fn functions(&self) -> Option<Vec<(&str, u64, u64)>> {
        let (symbols, strings) = (self.table(SYMBOLS)?, self.table(STRINGS)?);
        let size = if self.is_wide() { 24 } else { 16 };
        // A program can write into its vDSO: nothing in it is to be relied on.
        let most = self.bytes.len() as u64 / size;
        let count = strings.checked_sub(symbols)? / size;
        let all = (0..count.min(most)).filter_map(|symbol| {
            let at = symbols.wrapping_add(symbol * size);
            let name = self.name(strings.wrapping_add(self.number(at, 4)?))?;
            let (value, length) = if self.is_wide() { (8, 16) } else { (4, 8) };
            let word = |field: u64| self.word(at.wrapping_add(field));
            Some((name, word(value)?, word(length)?))
        });
        Some(all.collect())
    }
}

/// What to write where in a vDSO; nothing where that was done. `None` where it isn't as expected.
fn patches(bytes: &[u8], abi: &Abi) -> Option<Vec<(u64, Vec<u8>)>> {
    let image = Image { bytes, word: abi.word };
    let (mut patches, mut was_done) = (Vec::new(), false);
    for (name, place, length) in image.functions()? {
        let Some((_, call)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else { continue };
        // Of the two functions of i386, the one without a number has times of 32 bits.
        let call = match (abi.word, name) {
            (Word::Bits32, "__vdso_clock_gettime") => Syscall::ClockGettime(Word::Bits32),
            _ => *call,
        };
        let code = system_call(abi, call)?;
        let end = place.checked_add(length)?;
        let there = usize::try_from(place).ok().and_then(|place| bytes.get(place..));
        if there.is_some_and(|there| there.starts_with(&code)) {
            was_done = true;
            continue;
        }
        // What follows is another function.
        if (code.len() as u64) > length || end > bytes.len() as u64 {
            return None;
        }
        patches.push((place, code));
    }
    Some(patches).filter(|patches| was_done || !patches.is_empty())
}

/// A function that makes a system call of two arguments.
fn system_call(abi: &Abi, call: Syscall) -> Option<Vec<u8>> {
    let (number, _) = abi.calls.iter().find(|(_, known)| *known == call)?;
    if abi.arch == AUDIT_ARCH_AARCH64 {
        // mov x8, #number; svc #0; ret
        let code = [0xd280_0008 | number << 5, 0xd400_0001, 0xd65f_03c0_u32];
        return Some(code.into_iter().flat_map(u32::to_le_bytes).collect());
    }
    let number = number.to_le_bytes();
    Some(match abi.word {
        // mov eax, number; syscall; ret
        Word::Bits64 => [&[0xb8], number.as_slice(), &[0x0f, 0x05, 0xc3]].concat(),
        // push ebx; mov ebx, [esp+8]; mov ecx, [esp+12]; mov eax, number; int 0x80; pop ebx; ret
        Word::Bits32 => {
            let load = [0x53, 0x8b, 0x5c, 0x24, 0x08, 0x8b, 0x4c, 0x24, 0x0c, 0xb8];
            [load.as_slice(), &number, &[0xcd, 0x80, 0x5b, 0xc3]].concat()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vdso_is_found_among_the_maps() {
        let maps = "7ff0-7ff2 r--p 00000000 00:00 0 [vvar]\n\
                    7ffd8e5000-7ffd8e7000 r-xp 00000000 00:00 0                  [vdso]\n";
        assert_eq!(range(maps), Some((0x7f_fd8e_5000, 0x7f_fd8e_7000)));
        assert_eq!(range(""), None);
    }

    /// The vDSO of this program.
    #[cfg(target_arch = "x86_64")]
    #[cfg_attr(miri, ignore = "Miri has no vDSO")]
    #[test]
    fn the_functions_of_this_kernel_are_found() {
        let maps = fs::read_to_string("/proc/self/maps").expect("maps");
        let (start, end) = range(&maps).expect("a vDSO");
        let mut image = vec![0; usize::try_from(end - start).expect("small")];
        let memory = fs::File::open("/proc/self/mem").expect("memory");
        memory.read_exact_at(&mut image, start).expect("read");
        let abi = &crate::kernel::supervision::abi::known()[0];
        let found = patches(&image, abi).expect("functions");
        assert_eq!(found.len(), 3, "clock_gettime, gettimeofday, time");
        let mut done = image.clone();
        for (place, code) in &found {
            let place = usize::try_from(*place).expect("small");
            done[place..place + code.len()].copy_from_slice(code);
        }
        assert_eq!(patches(&done, abi), Some(Vec::new()), "it is done once");
        assert!(found.iter().any(|(_, code)| code[..3] == [0xb8, 228, 0]));
        // What is no vDSO is left alone.
        assert!(super::patches(&[0; 4_096], abi).is_none());
        for cut in 0..2_000 {
            let _ = super::patches(&image[..cut], abi);
        }
        // Whatever a program has written into it, it ends in no panic.
        for place in 0..image.len() {
            let kept = image[place];
            image[place] = 0xff;
            let _ = super::patches(&image, abi);
            image[place] = kept;
        }
    }
}
