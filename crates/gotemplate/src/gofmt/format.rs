//! Reads format strings: flags, widths, precisions, argument numbers, verbs and their errors.

use super::printer::Printer;
use super::text::Flags;
use crate::value::Value;

/// Widths and precisions beyond this are not taken for numbers.
const MAX_NUMBER: usize = 1_000_000;

/// Prints the arguments as the format says.
pub(super) fn print(printer: &mut Printer, format: &str, args: &[Value]) {
    let mut reader = Reader { format, pos: 0, args, next: 0, good: true, reordered: false };
    while let Some(length) = reader.rest().find('%') {
        printer.out.push_str(reader.rest().get(..length).unwrap_or(""));
        reader.pos += length + 1;
        reader.verb(printer);
    }
    printer.out.push_str(reader.rest());

    // Out of order, it is hard to say which arguments nobody asked for.
    let extra = args.get(reader.next..).unwrap_or(&[]);
    if !reader.reordered && !extra.is_empty() {
        printer.flags = Flags::default();
        printer.out.push_str("%!(EXTRA ");
        for (i, arg) in extra.iter().enumerate() {
            if i > 0 {
                printer.out.push_str(", ");
            }
            if !arg.is_nil() {
                printer.out.push_str(&arg.type_name());
                printer.out.push('=');
            }
            printer.print_arg(arg, 'v');
        }
        printer.out.push(')');
    }
}

struct Reader<'a> {
    format: &'a str,
    pos: usize,
    args: &'a [Value],
    /// The index of the next argument.
    next: usize,
    /// The argument numbers of the current verb make sense.
    good: bool,
    /// There was an argument number.
    reordered: bool,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.format.get(self.pos..).unwrap_or("")
    }

    fn peek(&self) -> Option<u8> {
        self.format.as_bytes().get(self.pos).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    /// One verb; its percent sign has been taken.
    fn verb(&mut self, printer: &mut Printer) {
        self.good = true;
        let mut flags = self.flags();
        let mut after_number = self.argument_number();
        if self.accept(b'*') {
            let (width, negative) = self.number_from_argument();
            flags.width = width;
            if width.is_none() {
                printer.out.push_str("%!(BADWIDTH)");
            }
            if negative {
                flags.minus = true;
                flags.zero = false;
            }
            after_number = false;
        } else {
            flags.width = self.number();
            if after_number && flags.width.is_some() {
                self.good = false; // "%[3]2d"
            }
        }
        // A point at the very end is taken for the verb.
        if self.peek() == Some(b'.') && self.rest().len() > 1 {
            self.pos += 1;
            if after_number {
                self.good = false; // "%[3].2d"
            }
            after_number = self.argument_number();
            if self.accept(b'*') {
                let (precision, negative) = self.number_from_argument();
                flags.precision = precision.filter(|_| !negative);
                if flags.precision.is_none() {
                    printer.out.push_str("%!(BADPREC)");
                }
                after_number = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_number {
            self.argument_number();
        }
        let Some(verb) = self.rest().chars().next() else {
            printer.out.push_str("%!(NOVERB)");
            return;
        };
        self.pos += verb.len_utf8();
        if verb == '%' {
            printer.out.push('%');
            return;
        }
        let arg = self.args.get(self.next);
        let (true, Some(arg)) = (self.good, arg) else {
            printer.out.push_str("%!");
            printer.out.push(verb);
            printer.out.push_str(if self.good { "(MISSING)" } else { "(BADINDEX)" });
            return;
        };
        if verb == 'v' {
            (flags.sharp_v, flags.sharp) = (flags.sharp, false);
            (flags.plus_v, flags.plus) = (flags.plus, false);
        }
        printer.flags = flags;
        self.next += 1;
        printer.print_arg(arg, verb);
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = !flags.minus,
                b'+' => flags.plus = true,
                b'-' => {
                    flags.minus = true;
                    flags.zero = false;
                }
                b' ' => flags.space = true,
                _ => break,
            }
            self.pos += 1;
        }
        flags
    }

    /// Decimal digits, if there are any. After one that is too large nothing more is read.
    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            let value = number.unwrap_or(0);
            if value > MAX_NUMBER {
                self.pos = self.format.len();
                return None;
            }
            number = Some(value * 10 + usize::from(digit - b'0'));
            self.pos += 1;
        }
        number
    }

    /// A width or precision given as an argument: its magnitude and whether it is negative.
    fn number_from_argument(&mut self) -> (Option<usize>, bool) {
        let Some(arg) = self.args.get(self.next) else { return (None, false) };
        self.next += 1;
        let (magnitude, negative) = match arg {
            Value::Int(i) => (i.unsigned_abs(), *i < 0),
            Value::Uint(u) => (*u, false),
            _ => return (None, false),
        };
        let magnitude = usize::try_from(magnitude).ok().filter(|m| *m <= MAX_NUMBER);
        (magnitude, negative && magnitude.is_some())
    }

    /// `[n]`, which makes the argument number n the next one. Whether one was found that makes
    /// sense as a number.
    fn argument_number(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = self.rest();
        let Some(close) = rest.find(']').filter(|_| rest.len() >= 3) else {
            self.pos += 1;
            self.good = false;
            return false;
        };
        let digits = rest.get(1..close).unwrap_or("");
        self.pos += close + 1;
        let number = Some(digits)
            .filter(|d| d.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|d| d.parse::<usize>().ok())
            .filter(|n| *n <= 10 * MAX_NUMBER + 9);
        match number.and_then(|n| n.checked_sub(1)) {
            Some(index) if index < self.args.len() => {
                self.next = index;
                true
            }
            _ => {
                self.good = false;
                number.is_some()
            }
        }
    }
}
