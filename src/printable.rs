//! Makes texts that are safe to show on a terminal. The name of a driver, a process or a file can
//! contain anything, and a terminal obeys some characters instead of showing them.

#[cfg(feature = "cli")]
use std::borrow::Cow;

/// Whether a terminal or a reader may do something else with a character than show it: control
/// characters, and Unicode's categories Cf (such as the marks of a writing direction), Zl and Zp.
pub(crate) fn is_obeyed(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control() || OBEYED.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// The categories Cf, Zl and Zp of Unicode 17.0, `DerivedGeneralCategory.txt`.
const OBEYED: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
];

/// Text of several lines, with a mark in the place of each character that would be obeyed.
#[cfg(feature = "cli")]
pub(crate) fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// As [`printable_lines`], for a single line.
#[cfg(feature = "cli")]
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(is_obeyed) { text.replace(is_obeyed, "\u{fffd}").into() } else { text.into() }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        let all = "a\u{1b}[2J\u{7f}\u{9b}31m\u{202e}b\u{2066}\u{200b}\u{2028}\u{e0041}c";
        let shown = printable(all);
        assert!(!shown.contains(is_obeyed), "{shown:?}");
        assert_eq!(
            shown,
            "a\u{fffd}[2J\u{fffd}\u{fffd}31m\u{fffd}b\u{fffd}\u{fffd}\u{fffd}\u{fffd}c"
        );
        assert_eq!(printable_lines("one\ntwo\r\nthree\u{9b}"), "one\ntwo\nthree\u{fffd}");
    }

    #[test]
    fn letters_of_all_kinds_are_left_as_they_are() {
        let text = "IDT CM TOD0, Zürich, Ωmega, 東京, ±634 ns, ⢀⢀";
        assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
    }
}
