//! How many columns of a terminal text takes.

/// Where the first characters of `text` end that take at most `room` columns, and how many they
/// take. Never less than a terminal needs: combining characters count as one.
pub(crate) fn fit(text: &str, room: usize) -> (&str, usize) {
    let mut used = 0;
    for (index, char) in text.char_indices() {
        let after = used + if is_wide(char) { 2 } else { 1 };
        if after > room {
            return (text.get(..index).unwrap_or_default(), used);
        }
        used = after;
    }
    (text, used)
}

/// How many columns all of it takes.
pub(crate) fn width_of(text: &str) -> usize {
    fit(text, usize::MAX).1
}

/// Whether a character takes two columns: East Asian ones and emoji. The ranges are wider than
/// Unicode's where that costs nobody anything but a blank.
fn is_wide(char: char) -> bool {
    matches!(char,
        '\u{1100}'..='\u{115f}' | '\u{231a}'..='\u{232a}' | '\u{23e9}'..='\u{23f3}'
        | '\u{25fd}'..='\u{25fe}' | '\u{2614}'..='\u{2705}' | '\u{270a}'..='\u{270b}'
        | '\u{2728}'..='\u{27bf}' | '\u{2b1b}'..='\u{2b55}' | '\u{2e80}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe10}'..='\u{fe19}' | '\u{fe30}'..='\u{fe6b}' | '\u{ff01}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}' | '\u{16fe0}'..='\u{1b2fb}' | '\u{1d300}'..='\u{1d376}'
        | '\u{1f004}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_has_one_column_or_two() {
        for (text, expected) in [
            ("", 0),
            ("a-1 é…", 6),
            ("✓✗│●→", 5),
            ("中文", 4),
            ("한글", 4),
            ("ｆ！", 4),
            ("❌✅⚡🚀", 8),
            ("\u{3fffd}", 2),
        ] {
            assert_eq!(width_of(text), expected, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        assert_eq!(fit("a中b", 0), ("", 0));
        assert_eq!(fit("a中b", 1), ("a", 1));
        assert_eq!(fit("a中b", 2), ("a", 1));
        assert_eq!(fit("a中b", 3), ("a中", 3));
        assert_eq!(fit("a中b", 4), ("a中b", 4));
    }
}
