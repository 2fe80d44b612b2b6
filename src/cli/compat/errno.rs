//! Errors in the words of the GNU C library, which scripts look for. Other C libraries have other
//! words for some of them.

/// The words for an errno, as `strerror` of the GNU C library has them.
pub(super) fn in_words(number: i32) -> String {
    let words = match number {
        libc::EBUSY => "Device or resource busy",
        libc::EIO => "Input/output error",
        libc::ENOTTY => "Inappropriate ioctl for device",
        libc::EOPNOTSUPP => "Operation not supported",
        libc::ERANGE => "Numerical result out of range",
        libc::ETIMEDOUT => "Connection timed out",
        _ => {
            let text = std::io::Error::from_raw_os_error(number).to_string();
            // The standard library puts the number behind the system's words.
            let words = text.split(" (os error").next().unwrap_or_default();
            return if words == "No error information" {
                format!("Unknown error {number}")
            } else {
                words.to_owned()
            };
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_gnu_c_library() {
        for (number, words) in [
            (libc::EINVAL, "Invalid argument"),
            (libc::EOPNOTSUPP, "Operation not supported"),
            (libc::ENODEV, "No such device"),
            (libc::EACCES, "Permission denied"),
            (524, "Unknown error 524"),
        ] {
            assert_eq!(in_words(number), words);
        }
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn the_words_kept_here_are_the_librarys() {
        for number in
            [libc::EBUSY, libc::EIO, libc::ENOTTY, libc::EOPNOTSUPP, libc::ERANGE, libc::ETIMEDOUT]
        {
            let text = std::io::Error::from_raw_os_error(number).to_string();
            assert!(text.starts_with(&in_words(number)), "{text}");
        }
    }
}
