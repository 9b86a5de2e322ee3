//! Prints values: which form each kind of value takes under each verb.

use super::text::Flags;
use crate::object::Object;
use crate::value::{List, Map, Value};
use std::fmt::Write as _;
use std::rc::Rc;

/// How deep a value may nest. Printing recurses; a limit keeps it within a small stack.
const MAX_DEPTH: u32 = 200;

/// Text under construction.
pub(super) struct Printer {
    pub(super) out: String,
    pub(super) flags: Flags,
    /// Nothing more is printed once there are more bytes.
    room: usize,
    /// Arguments that are pointers are replaced by what they point to.
    pointees: bool,
    /// A value is being shown inside an error such as `%!d(string=hi)`: it shows itself without
    /// its own methods.
    erroring: bool,
    depth: u32,
    too_deep: bool,
}

impl Printer {
    /// A printer of about `room` bytes.
    pub(super) fn new(room: usize) -> Printer {
        Printer {
            out: String::new(),
            flags: Flags::default(),
            room,
            pointees: false,
            erroring: false,
            depth: 0,
            too_deep: false,
        }
    }

    /// A printer that shows what pointers point to.
    pub(super) fn of_pointees(room: usize) -> Printer {
        Printer { pointees: true, ..Printer::new(room) }
    }

    pub(super) fn finish(self) -> Result<String, String> {
        if self.too_deep {
            return Err(format!("value nested too deeply to print: at most {MAX_DEPTH} levels"));
        }
        Ok(self.out)
    }

    /// Prints an argument.
    pub(super) fn print_arg(&mut self, arg: &Value, verb: char) {
        if self.out.len() > self.room {
            return;
        }
        match (arg, verb) {
            (Value::Nil, 'T' | 'v') => self.flags.pad(&mut self.out, "<nil>"),
            (Value::Nil, _) => self.bad_verb(None, verb),
            (_, 'T') => {
                let name = arg.type_name();
                self.flags.pad_truncated(&mut self.out, &name);
            }
            (_, 'p') => self.pointer(arg, verb),
            _ => self.print_value(arg, verb, 0),
        }
    }

    /// `%!verb(type=value)`.
    fn bad_verb(&mut self, value: Option<&Value>, verb: char) {
        let outer = std::mem::replace(&mut self.erroring, true);
        let _ = write!(self.out, "%!{verb}(");
        match value {
            Some(value) => {
                self.out.push_str(&value.type_name());
                self.out.push('=');
                self.print_value(value, 'v', 0);
            }
            None => self.out.push_str("<nil>"),
        }
        self.out.push(')');
        self.erroring = outer;
    }

    /// Prints a value; `depth` tells how many lists, maps and objects it is in.
    fn print_value(&mut self, value: &Value, verb: char, depth: u32) {
        if self.depth >= MAX_DEPTH {
            self.too_deep = true;
            return;
        }
        if self.out.len() > self.room {
            return;
        }
        self.depth += 1;
        let out = &mut self.out;
        match value {
            Value::Nil if self.flags.sharp_v => out.push_str("interface {}(nil)"),
            Value::Nil => out.push_str("<nil>"),
            Value::Bool(b) => match verb {
                't' | 'v' => self.flags.pad(out, if *b { "true" } else { "false" }),
                _ => self.bad_verb(Some(value), verb),
            },
            Value::Int(i) => {
                if !self.flags.integer(out, i.unsigned_abs(), *i < 0, verb) {
                    self.bad_verb(Some(value), verb);
                }
            }
            Value::Uint(u) => {
                // Go syntax shows unsigned numbers in hexadecimal.
                let done = if verb == 'v' && self.flags.sharp_v {
                    self.flags.address(out, *u, true);
                    true
                } else {
                    self.flags.integer(out, *u, false, verb)
                };
                if !done {
                    self.bad_verb(Some(value), verb);
                }
            }
            Value::Float(f) => {
                if !self.flags.float(out, *f, verb) {
                    self.bad_verb(Some(value), verb);
                }
            }
            Value::String(s) => {
                if !self.flags.string(out, s, verb) {
                    self.bad_verb(Some(value), verb);
                }
            }
            Value::List(list) => self.list(list, &value.type_name(), verb, depth),
            Value::Map(map) => self.map(map, &value.type_name(), verb, depth),
            Value::Func(_) => self.pointer(value, verb),
            Value::Object(object) => self.object(object, verb, depth),
        }
        self.depth -= 1;
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(if self.flags.sharp_v { ", " } else { " " });
        }
    }

    fn list(&mut self, list: &List, type_name: &str, verb: char, depth: u32) {
        let (open, close) = if self.flags.sharp_v { ('{', '}') } else { ('[', ']') };
        if self.flags.sharp_v {
            self.out.push_str(type_name);
        }
        self.out.push(open);
        for (i, item) in list.items().iter().enumerate() {
            self.separate(i);
            self.print_value(item, verb, depth + 1);
        }
        self.out.push(close);
    }

    fn map(&mut self, map: &Map, type_name: &str, verb: char, depth: u32) {
        if self.flags.sharp_v {
            self.out.push_str(type_name);
            self.out.push('{');
        } else {
            self.out.push_str("map[");
        }
        for (i, (key, value)) in map.iter().enumerate() {
            self.separate(i);
            self.print_value(&Value::String(key.clone()), verb, depth + 1);
            self.out.push(':');
            self.print_value(value, verb, depth + 1);
        }
        self.out.push(if self.flags.sharp_v { '}' } else { ']' });
    }

    fn object(&mut self, object: &Rc<dyn Object>, verb: char, depth: u32) {
        let textual = matches!(verb, 'v' | 's' | 'x' | 'X' | 'q');
        if !self.erroring
            && !self.flags.sharp_v
            && textual
            && let Some(text) = object.display()
        {
            self.flags.string(&mut self.out, &text, verb);
            return;
        }
        if let Some(list) = object.as_list() {
            return self.list(&list, object.type_name(), verb, depth);
        }
        let mut type_name = object.type_name();
        if let Some(pointee) = type_name.strip_prefix('*') {
            type_name = pointee;
            // Go shows only an address of those within others, which is another one each time: equal
            // data would not render equal texts.
            if depth > 0 || !self.pointees {
                self.out.push('&');
            }
        }
        if self.flags.sharp_v {
            self.out.push_str(type_name);
        }
        self.out.push('{');
        for (i, name) in object.field_names().iter().enumerate() {
            self.separate(i);
            if self.flags.plus_v || self.flags.sharp_v {
                self.out.push_str(name);
                self.out.push(':');
            }
            let field = object.field(name).unwrap_or_default();
            self.print_value(&field, verb, depth + 1);
        }
        self.out.push('}');
    }

    /// The address of what a value refers to.
    fn pointer(&mut self, value: &Value, verb: char) {
        let address = match value {
            Value::List(list) => Rc::as_ptr(list).addr(),
            Value::Map(map) => Rc::as_ptr(map).addr(),
            Value::Func(function) => Rc::as_ptr(function).addr(),
            Value::Object(object) => Rc::as_ptr(object).cast::<()>().addr(),
            _ => return self.bad_verb(Some(value), verb),
        };
        let address = u64::try_from(address).unwrap_or(0);
        match verb {
            'v' if self.flags.sharp_v => {
                let _ = write!(self.out, "({})(", value.type_name());
                self.flags.address(&mut self.out, address, true);
                self.out.push(')');
            }
            'v' | 'p' => self.flags.address(&mut self.out, address, !self.flags.sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => {
                self.flags.integer(&mut self.out, address, false, verb);
            }
            // Not through `bad_verb`, which would come back here for a function.
            _ => {
                let _ = write!(self.out, "%!{verb}({}=", value.type_name());
                self.flags.address(&mut self.out, address, true);
                self.out.push(')');
            }
        }
    }
}
