//! Measurements in files: JSON lines, plain or compressed, that can be added to.

mod decoded;
mod form;
mod line;
mod reader;
mod recorder;
mod zstandard;

pub use line::write;
pub use reader::{Damage, Reader};
pub use recorder::{Found, Recorder};

#[cfg(test)]
mod tests {
    use super::form::Form;
    use super::{Reader, Recorder};
    use std::fs::Permissions;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    fn line(second: i64) -> String {
        format!(
            "{{\"device\":\"/dev/ptp0\",\"reference\":\"realtime\",\"at\":{{\"seconds\":{second},\
             \"nanoseconds\":5}},\"offset_ns\":7,\"method\":\"extended\",\"new\":[1]}}\n"
        )
    }

    fn seconds(path: &Path) -> (Vec<i64>, u64, bool) {
        let mut reader = Reader::open(path).expect("opened");
        let mut seconds = Vec::new();
        while let Some(line) = reader.read().expect("read") {
            let measured = line.outcome.measured().expect("an offset");
            assert_eq!(measured.offset.nanoseconds(), 7);
            seconds.push(line.at.seconds());
        }
        (seconds, reader.damage().lines, reader.damage().cut)
    }

    fn each_form(name: &str, check: impl Fn(&Path)) {
        for extension in ["jsonl", "gz", "zst"] {
            let file = format!("ptpctl-record-{name}-{}.{extension}", std::process::id());
            let path = std::env::temp_dir().join(file);
            let _ = std::fs::remove_file(&path);
            check(&path);
            let _ = std::fs::remove_file(&path);
        }
    }

    fn beside(path: &Path, what: &str) -> PathBuf {
        path.with_file_name(format!("{what}-{}", path.file_name().expect("one").display()))
    }

    fn read(path: &Path) -> Vec<u8> {
        std::fs::read(path).expect("read")
    }

    /// The bytes of a file of this name that holds this text.
    fn raw(path: &Path, text: &str) -> Vec<u8> {
        let file = beside(path, "raw");
        let _ = std::fs::remove_file(&file);
        let mut to = Form::named(path).writer(std::fs::File::create(&file).expect("made"));
        to.write_all(text.as_bytes()).expect("written");
        to.finish().expect("ended");
        let bytes = read(&file);
        let _ = std::fs::remove_file(&file);
        bytes
    }

    fn add(path: &Path, lines: &[String]) -> bool {
        let (mut recorder, found) = Recorder::append(path).expect("opened");
        for line in lines {
            recorder.write_all(line.as_bytes()).expect("written");
        }
        assert!(recorder.finish().expect("finished"), "it is where it was");
        found.was_damaged
    }

    #[test]
    fn what_is_added_is_read_after_what_was_there() {
        each_form("added", |path| {
            assert!(!add(path, &[line(1), line(2)]));
            assert!(!add(path, &[line(3)]));
            assert_eq!(seconds(path), (vec![1, 2, 3], 0, false));
        });
    }

    #[test]
    fn a_file_whose_end_was_cut_off_is_read_up_to_there_and_can_be_added_to() {
        each_form("cut", |path| {
            let many: Vec<_> = (1..=2_000).map(line).collect();
            add(path, &many);
            let whole = std::fs::read(path).expect("read");
            std::fs::write(path, &whole[..=whole.len() * 2 / 3]).expect("cut");
            let (read, damaged, cut) = seconds(path);
            assert!(read.len() < 2_000 && damaged == 0 && cut, "{} {damaged}", read.len());
            assert!(add(path, &[line(7)]));
            let (after, _, _) = seconds(path);
            assert_eq!((&after[..read.len()], after.last()), (&read[..], Some(&7)));
        });
    }

    #[test]
    fn what_is_no_measurement_is_counted_and_left_out() {
        each_form("damaged", |path| {
            add(path, &[line(1), "{\"at\":5}\n".into(), "\n".into(), "x\n".into(), line(2)]);
            assert_eq!(seconds(path), (vec![1, 2], 2, false));
        });
    }

    #[test]
    fn what_is_no_recording_is_left_alone() {
        each_form("other", |path| {
            for other in ["root:x:0:0\n".repeat(50), "hi".into(), "{\"a\":1}".into(), "(".into()] {
                std::fs::write(path, &other).expect("written");
                assert!(Recorder::append(path).is_err(), "{other}");
                assert_eq!(std::fs::read_to_string(path).expect("read"), other);
            }
        });
    }

    #[test]
    fn what_is_named_as_another_form_is_left_alone() {
        each_form("named", |path| {
            add(path, &[line(1)]);
            for extension in ["jsonl", "gz", "zst"] {
                let other = path.with_extension(format!("other.{extension}"));
                std::fs::copy(path, &other).expect("copied");
                assert_eq!(Recorder::append(&other).is_ok(), path.extension() == other.extension());
                assert_eq!(seconds(&other).0, [1], "it is read whatever its name is");
                let _ = std::fs::remove_file(&other);
            }
        });
    }

    #[test]
    fn a_recording_whose_first_line_is_damaged_can_be_added_to() {
        each_form("first", |path| {
            add(path, &[line(1)]);
            std::fs::write(path, raw(path, "x\n{\"a\":1}\n")).expect("written");
            std::fs::write(path, [read(path), raw(path, &line(2))].concat()).expect("written");
            assert!(!add(path, &[line(3)]));
            assert_eq!(seconds(path), (vec![2, 3], 2, false));
        });
    }

    #[test]
    fn a_whole_file_whose_last_line_is_not_ended_is_gone_on_with_in_a_new_line() {
        each_form("unended", |path| {
            std::fs::write(path, raw(path, line(1).trim_end())).expect("written");
            assert!(add(path, &[line(2)]));
            assert_eq!(seconds(path), (vec![1, 2], 0, false));
        });
    }

    #[test]
    fn what_is_behind_the_end_hides_nothing() {
        each_form("tail", |path| {
            add(path, &[line(1), line(2)]);
            let whole = read(path);
            for tail in [&[0; 512][..], b"\0\0"] {
                std::fs::write(path, [&whole, tail].concat()).expect("written");
                let (read, _, cut) = seconds(path);
                assert!(read == [1, 2] && cut, "{read:?}");
                add(path, &[line(9)]);
                assert_eq!((seconds(path).0, seconds(path).2), (vec![1, 2, 9], false));
            }
        });
    }

    #[test]
    fn damage_hides_only_the_recording_that_has_it() {
        each_form("inside", |path| {
            let recordings = [1..=400, 401..=800, 801..=1_200].map(|seconds| {
                let lines: Vec<_> = seconds.map(line).collect();
                let _ = std::fs::remove_file(path);
                add(path, &lines);
                read(path)
            });
            let [first, second, third] = recordings.each_ref().map(Vec::as_slice);
            let mut flipped = second.to_vec();
            flipped[second.len() / 2] ^= 0x10;
            let cut = &second[..second.len() - 10];
            for damaged in [cut, &flipped] {
                std::fs::write(path, [first, damaged, third].concat()).expect("written");
                let before = seconds(path).0;
                assert!(before.starts_with(&(1..=400).collect::<Vec<_>>()));
                assert!(before.ends_with(&(802..=1_200).collect::<Vec<_>>()), "{:?}", before.len());
                add(path, &[line(2_000)]);
                let (after, _, cut) = seconds(path);
                assert_eq!(
                    (&after[..after.len() - 1], after.last(), cut),
                    (&before[..], Some(&2_000), false)
                );
            }
        });
    }

    #[test]
    fn what_is_not_understood_is_not_removed() {
        for extension in ["gz", "zst"] {
            each_form("foreign", |path| {
                if path.extension().is_none_or(|of_it| of_it != extension) {
                    return;
                }
                add(path, &[line(1), line(2)]);
                for foreign in [line(5).into_bytes(), b"\x1f\x8b\x08 \x28\xb5\x2f\xfd".to_vec()] {
                    let before = [read(path), foreign].concat();
                    std::fs::write(path, &before).expect("written");
                    assert!(add(path, &[line(9)]));
                    assert!(read(path).starts_with(&before));
                    let (read, _, _) = seconds(path);
                    assert!(read.starts_with(&[1, 2]) && read.ends_with(&[9]), "{read:?}");
                }
            });
        }
    }

    #[test]
    fn a_damaged_file_that_has_other_names_is_added_to_as_it_is() {
        each_form("names", |path| {
            add(path, &(1..=50).map(line).collect::<Vec<_>>());
            let whole = read(path);
            std::fs::write(path, &whole[..whole.len() - 10]).expect("cut");
            let other = beside(path, "other");
            let _ = std::fs::remove_file(&other);
            std::fs::hard_link(path, &other).expect("linked");
            let before = seconds(path).0;
            add(path, &[line(60)]);
            assert_eq!(read(path), read(&other), "they are one file");
            let after = seconds(path).0;
            assert!(after.starts_with(&before) && after.ends_with(&[60]), "{after:?}");
            let _ = std::fs::remove_file(&other);
        });
    }

    #[test]
    fn a_file_is_added_to_by_one_at_a_time() {
        each_form("locked", |path| {
            let first = Recorder::append(path).expect("opened");
            let second = Recorder::append(path).err().expect("refused");
            assert_eq!(second.kind(), std::io::ErrorKind::WouldBlock);
            drop(first);
            assert!(Recorder::append(path).is_ok());
        });
    }

    #[test]
    fn a_restored_file_keeps_its_permissions_and_the_links_to_it() {
        each_form("kept", |path| {
            add(path, &(1..=50).map(line).collect::<Vec<_>>());
            let whole = read(path);
            std::fs::write(path, &whole[..whole.len() - 4]).expect("cut");
            std::fs::set_permissions(path, Permissions::from_mode(0o640)).expect("set");
            let link = beside(path, "link");
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(path, &link).expect("linked");
            assert!(add(&link, &[line(60)]));
            assert!(std::fs::symlink_metadata(&link).expect("there").is_symlink());
            let _ = std::fs::remove_file(&link);
            let mode = std::fs::metadata(path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o640);
            assert_eq!(seconds(path).0.last(), Some(&60));
        });
    }

    #[test]
    fn a_line_that_is_too_long_is_one_that_is_left_out() {
        each_form("long", |path| {
            add(path, &[line(1), format!("{}\n", "x".repeat(200_000)), line(2)]);
            assert_eq!(seconds(path), (vec![1, 2], 1, false));
        });
    }

    #[test]
    fn what_was_saved_is_there_before_the_file_is_ended() {
        each_form("saved", |path| {
            let (mut recorder, _) = Recorder::append(path).expect("opened");
            recorder.write_all(line(1).as_bytes()).expect("written");
            recorder.save().expect("saved");
            std::mem::forget(recorder);
            let (read, _, _) = seconds(path);
            assert_eq!(read, [1]);
        });
    }

    #[test]
    fn one_that_had_it_open_before_it_was_restored_adds_to_what_it_is_now() {
        each_form("late", |path| {
            add(path, &(1..=50).map(line).collect::<Vec<_>>());
            let whole = read(path);
            std::fs::write(path, &whole[..whole.len() - 4]).expect("cut");
            let (mut first, found) = Recorder::append(path).expect("opened");
            assert!(found.was_damaged);
            // The second waits between opening the file and locking it.
            let late = path.to_owned();
            let second = std::thread::spawn(move || {
                loop {
                    match Recorder::append(&late) {
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        other => return other.expect("opened").0,
                    }
                }
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            first.write_all(line(100).as_bytes()).expect("written");
            first.finish().expect("finished");
            let mut second = second.join().expect("well");
            second.write_all(line(200).as_bytes()).expect("written");
            assert!(second.finish().expect("finished"), "the name leads to what it wrote");
            assert!(seconds(path).0.ends_with(&[100, 200]), "{:?}", seconds(path).0);
        });
    }

    #[test]
    fn a_file_that_is_removed_meanwhile_is_no_success() {
        each_form("removed", |path| {
            let (mut recorder, _) = Recorder::append(path).expect("opened");
            recorder.write_all(line(1).as_bytes()).expect("written");
            recorder.save().expect("saved");
            std::fs::remove_file(path).expect("removed");
            recorder.write_all(line(2).as_bytes()).expect("written");
            let error = recorder.save().expect_err("it has gone");
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
            assert!(recorder.finish().is_err());
        });
    }

    #[test]
    fn a_file_that_is_cut_off_meanwhile_is_no_success() {
        each_form("truncated", |path| {
            let (mut recorder, _) = Recorder::append(path).expect("opened");
            for second in 1..50 {
                recorder.write_all(line(second).as_bytes()).expect("written");
            }
            recorder.save().expect("saved");
            std::fs::OpenOptions::new().write(true).truncate(true).open(path).expect("cut");
            assert_eq!(recorder.save().expect_err("cut").kind(), std::io::ErrorKind::InvalidData);
        });
    }

    #[test]
    fn a_file_that_is_moved_meanwhile_is_told() {
        each_form("moved", |path| {
            let (mut recorder, _) = Recorder::append(path).expect("opened");
            recorder.write_all(line(1).as_bytes()).expect("written");
            let moved = beside(path, "moved");
            std::fs::rename(path, &moved).expect("moved");
            assert!(!recorder.finish().expect("finished"));
            assert_eq!(seconds(&moved).0, [1]);
            let _ = std::fs::remove_file(&moved);
        });
    }

    #[test]
    fn a_file_is_readable_by_its_owner_alone_until_it_is_restored() {
        let path = std::env::temp_dir().join(format!("ptpctl-private-{}.gz", std::process::id()));
        add(&path, &(1..=50).map(line).collect::<Vec<_>>());
        let whole = read(&path);
        std::fs::write(&path, &whole[..whole.len() - 4]).expect("cut");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("set");
        add(&path, &[line(60)]);
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let _ = std::fs::remove_file(&path);
    }
}
