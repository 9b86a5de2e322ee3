//! Evaluates pipelines: the values behind actions.

use crate::advice;
use crate::builtins::{Builtin, Param};
use crate::error::ExecError;
use crate::exec::{At, Exec};
use crate::function::{Function, Signature};
use crate::item::Item;
use crate::limits;
use crate::node::{Callee, Command, Expr, Pipe};
use crate::number::Number;
use crate::object::Object;
use crate::template::MissingKey;
use crate::value::{Type, Value};
use std::cell::Cell;
use std::rc::Rc;

/// How deep evaluations may be within each other: parentheses, and templates executed by
/// functions that templates call. More than the parser lets one template have.
const MAX_DEPTH: u32 = 250;

thread_local! {
    /// How many evaluations are under way on this thread's stack.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Counts an evaluation for as long as it lives.
struct DepthGuard;

impl DepthGuard {
    fn enter() -> Option<DepthGuard> {
        let depth = DEPTH.get();
        (depth < MAX_DEPTH).then(|| {
            DEPTH.set(depth + 1);
            DepthGuard
        })
    }
}

impl Drop for DepthGuard {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

/// What is called.
enum Callable<'c> {
    Builtin(Builtin),
    Function(&'c Function),
    Method(&'c Rc<dyn Object>, Signature),
}

impl Callable<'_> {
    /// How many arguments are needed, and whether there may be more.
    fn arity(&self) -> (usize, bool) {
        match self {
            Callable::Builtin(builtin) => builtin.arity(),
            Callable::Function(function) => signature_arity(function.signature),
            Callable::Method(_, signature) => signature_arity(*signature),
        }
    }

    /// Whether it takes longer for longer arguments.
    fn reads_all(&self) -> bool {
        !matches!(
            self,
            Callable::Builtin(Builtin::Index | Builtin::Len | Builtin::Not | Builtin::Slice)
        )
    }

    fn param(&self, index: usize) -> Param {
        match self {
            Callable::Builtin(builtin) => builtin.param(index),
            Callable::Function(function) => Param::Typed(function.signature.param(index)),
            Callable::Method(_, signature) => Param::Typed(signature.param(index)),
        }
    }
}

fn signature_arity(signature: Signature) -> (usize, bool) {
    (signature.params.len(), signature.rest.is_some())
}

/// The arguments of a command: those that are written behind it, and the value that the
/// pipeline hands on.
struct Args<'t> {
    written: &'t [Expr],
    last: Option<Item>,
}

impl Args<'_> {
    const NONE: Args<'static> = Args { written: &[], last: None };

    fn is_empty(&self) -> bool {
        self.written.is_empty() && self.last.is_none()
    }
}

type Evaluated<T> = Result<T, ExecError>;

impl<'t> Exec<'t, '_> {
    /// The value of a pipeline. Variables that it declares stay until the caller removes them.
    pub(crate) fn pipeline(&mut self, dot: &Item, pipe: &'t Pipe) -> Evaluated<Item> {
        self.at(At::Pipe(pipe));
        let Some(_guard) = DepthGuard::enter() else {
            return Err(self.error(format_args!("exceeded maximum evaluation depth ({MAX_DEPTH})")));
        };
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(dot, command, last)?.unboxed());
        }
        let value = last.unwrap_or_else(Item::none);
        for variable in &pipe.variables {
            if pipe.assigns {
                self.set_variable(variable, value.clone())?;
            } else {
                self.push_variable(variable, value.clone());
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Item, command: &'t Command, last: Option<Item>) -> Evaluated<Item> {
        self.spend(1)?;
        let args = Args { written: &command.args, last };
        let first = &command.first;
        match first {
            Expr::Field(..) | Expr::Chain(..) | Expr::Variable(..) => {
                return self.chain(dot, first, args);
            }
            Expr::Identifier(_, name, callee) => {
                self.at(At::Expr(first));
                return self.callee(dot, callee, At::Command(command), name, args);
            }
            Expr::Pipe(pipe) => {
                self.refuse_args(first, &args)?;
                return self.pipeline(dot, pipe);
            }
            _ => {}
        }
        self.at(At::Expr(first));
        self.refuse_args(first, &args)?;
        match first {
            Expr::Dot(_) => Ok(dot.clone()),
            Expr::Nil(_) => Err(self.error(format_args!("nil is not a command"))),
            other => self.literal(other),
        }
    }

    fn refuse_args(&self, first: &Expr, args: &Args<'_>) -> Evaluated<()> {
        if args.is_empty() {
            return Ok(());
        }
        Err(self.error(format_args!("can't give argument to non-function {first}")))
    }

    /// The value of a constant where no type is asked for.
    fn literal(&mut self, expr: &'t Expr) -> Evaluated<Item> {
        self.at(At::Expr(expr));
        Ok(Item::plain(match expr {
            Expr::Bool(_, value) => Value::Bool(*value),
            Expr::String(_, literal) => Value::String(literal.text.clone()),
            Expr::Number(_, number) => match **number {
                Number { float: Some(float), .. } if number.is_written_as_float() => {
                    Value::Float(float)
                }
                Number { int: Some(int), .. } => Value::Int(int),
                _ => return Err(self.error(format_args!("{} overflows int", number.text))),
            },
            other => return Err(self.error(format_args!("can't evaluate command {other}"))),
        }))
    }

    /// `.A.B`, `$x.A.B` and `(pipeline).A.B`; the last name may be a method and take arguments.
    fn chain(&mut self, dot: &Item, node: &'t Expr, args: Args<'t>) -> Evaluated<Item> {
        self.at(At::Expr(node));
        let (mut receiver, fields) = match node {
            Expr::Field(_, fields) => (dot.clone(), fields),
            Expr::Variable(_, name, fields) => {
                let value = self.variable(name)?;
                if fields.is_empty() {
                    self.refuse_args(node, &args)?;
                    return Ok(value);
                }
                (value, fields)
            }
            Expr::Chain(_, inner, fields) => {
                self.at(At::Expr(inner));
                let value = match &**inner {
                    Expr::Pipe(pipe) => self.pipeline(dot, pipe)?,
                    Expr::Identifier(_, name, callee) => {
                        self.callee(dot, callee, At::Expr(inner), name, Args::NONE)?
                    }
                    other => return Err(self.error(format_args!("can't evaluate command {other}"))),
                };
                (value, fields)
            }
            other => return Err(self.error(format_args!("can't evaluate command {other}"))),
        };
        let Some((last, before)) = fields.split_last() else { return Ok(receiver) };
        self.spend(u64::try_from(before.len()).unwrap_or(u64::MAX))?;
        for name in before {
            receiver = self.field(dot, name, node, Args::NONE, receiver)?;
        }
        self.field(dot, last, node, args, receiver)
    }

    /// One name of a chain: a method, a field, or a key of a map.
    fn field(
        &mut self,
        dot: &Item,
        name: &str,
        node: &'t Expr,
        args: Args<'t>,
        receiver: Item,
    ) -> Evaluated<Item> {
        match &receiver.value {
            Value::Nil if receiver.boxed => {
                return Err(
                    self.error(format_args!("nil pointer evaluating interface {{}}.{name}"))
                );
            }
            Value::Nil if self.missing_key() == MissingKey::Error => {
                return Err(self.error(format_args!("nil data; no entry for key {}", quoted(name))));
            }
            Value::Nil => return Ok(Item::none()),
            Value::Object(object) => {
                if let Some(signature) = object.method(name) {
                    let method = Callable::Method(object, signature);
                    return self.call(dot, &method, At::Expr(node), name, args);
                }
                if let Some(value) = object.field(name) {
                    if !args.is_empty() {
                        return Err(self.error(format_args!(
                            "{name} has arguments but cannot be invoked as function"
                        )));
                    }
                    return Ok(Item::result(value));
                }
            }
            Value::Map(map) => {
                if !args.is_empty() {
                    return Err(
                        self.error(format_args!("{name} is not a method but has arguments"))
                    );
                }
                if let Some(value) = map.get(name) {
                    return Ok(Item::element(value.clone(), map.element()));
                }
                return match self.missing_key() {
                    MissingKey::Default => Ok(Item::none()),
                    MissingKey::Zero => Ok(Item::element(map.element().zero(), map.element())),
                    MissingKey::Error => {
                        Err(self.error(format_args!("map has no entry for key {}", quoted(name))))
                    }
                };
            }
            _ => {}
        }
        let type_name = receiver.type_name();
        let error = self.error(format_args!("can't evaluate field {name} in type {type_name}"));
        Err(error.advised(advice::missing_field(name, &receiver.value)))
    }

    fn callee(
        &mut self,
        dot: &Item,
        callee: &'t Callee,
        node: At<'t>,
        name: &str,
        args: Args<'t>,
    ) -> Evaluated<Item> {
        let callable = match callee {
            Callee::Builtin(builtin) => Callable::Builtin(*builtin),
            Callee::Function(function) => Callable::Function(function),
        };
        self.call(dot, &callable, node, name, args)
    }

    /// Calls a function or method; an error of its own is reported at `node`.
    fn call(
        &mut self,
        dot: &Item,
        callable: &Callable<'_>,
        node: At<'t>,
        name: &str,
        args: Args<'t>,
    ) -> Evaluated<Item> {
        let written = args.written.len();
        let count = written + usize::from(args.last.is_some());
        let (wanted, more) = callable.arity();
        if more && count < wanted {
            return Err(self.error(format_args!(
                "wrong number of args for {name}: want at least {wanted} got {written}"
            )));
        }
        if !more && count != wanted {
            return Err(self.error(format_args!(
                "wrong number of args for {name}: want {wanted} got {count}"
            )));
        }

        if let Callable::Builtin(Builtin::And | Builtin::Or) = callable {
            let decisive = matches!(callable, Callable::Builtin(Builtin::Or));
            let mut value = Item::none();
            for arg in args.written {
                value = self.argument(dot, Param::Reflected, arg)?;
                if value.value.truth() == decisive {
                    return Ok(value);
                }
            }
            return Ok(args.last.unwrap_or(value));
        }

        let mut items = Vec::with_capacity(count);
        for (i, arg) in args.written.iter().enumerate() {
            items.push(self.argument(dot, callable.param(i), arg)?);
        }
        if let Some(last) = args.last {
            let param = callable.param(count.saturating_sub(1));
            items.push(self.validate(last, param)?);
        }
        let values = |items: Vec<Item>| items.into_iter().map(|i| i.value).collect::<Vec<_>>();
        if callable.reads_all() {
            let bytes = items.iter().map(|item| limits::size(&item.value)).sum();
            self.spend(limits::steps(bytes))?;
        }
        let result = match callable {
            Callable::Builtin(builtin) => builtin.call(&items, self.room()),
            Callable::Function(function) => function.call(&values(items)).map(Item::result),
            Callable::Method(object, _) => {
                object.call_method(name, &values(items)).map(Item::result)
            }
        };
        let result = result.and_then(|item| {
            self.count_made(&item.value)?;
            Ok(item)
        });
        result.map_err(|error| {
            self.at(node);
            self.error(format_args!("error calling {name}: {error}"))
        })
    }

    /// Evaluates an argument for a parameter.
    fn argument(&mut self, dot: &Item, param: Param, expr: &'t Expr) -> Evaluated<Item> {
        self.at(At::Expr(expr));
        self.spend(1)?;
        let item = match expr {
            Expr::Dot(_) => dot.clone(),
            Expr::Nil(_) => {
                return match param {
                    Param::Reflected => Ok(Item::none()),
                    Param::Typed(wanted) if wanted.can_be_nil() => Ok(Item::plain(wanted.zero())),
                    Param::Typed(wanted) => {
                        Err(self.error(format_args!("cannot assign nil to {wanted}")))
                    }
                };
            }
            Expr::Field(..) | Expr::Variable(..) | Expr::Chain(..) => {
                self.chain(dot, expr, Args::NONE)?
            }
            Expr::Pipe(pipe) => self.pipeline(dot, pipe)?,
            Expr::Identifier(_, name, callee) => {
                self.callee(dot, callee, At::Expr(expr), name, Args::NONE)?
            }
            Expr::Bool(..) | Expr::Number(..) | Expr::String(..) => {
                return self.typed_literal(param, expr);
            }
        };
        self.validate(item, param)
    }

    /// A constant as a value of the type that is asked for.
    fn typed_literal(&mut self, param: Param, expr: &'t Expr) -> Evaluated<Item> {
        let wanted = match param {
            Param::Reflected | Param::Typed(Type::Any) => return self.literal(expr),
            Param::Typed(wanted) => wanted,
        };
        let number = if let Expr::Number(_, number) = expr { Some(&**number) } else { None };
        let (value, expected) = match wanted {
            Type::Bool => match expr {
                Expr::Bool(_, value) => (Some(Value::Bool(*value)), "bool"),
                _ => (None, "bool"),
            },
            Type::String => match expr {
                Expr::String(_, literal) => (Some(Value::String(literal.text.clone())), "string"),
                _ => (None, "string"),
            },
            Type::Int => (number.and_then(|n| n.int).map(Value::Int), "integer"),
            Type::Uint => (number.and_then(|n| n.uint).map(Value::Uint), "unsigned integer"),
            Type::Float => (number.and_then(|n| n.float).map(Value::Float), "float"),
            Type::Any | Type::List(_) | Type::Map(_) | Type::Named(_) => {
                return Err(
                    self.error(format_args!("can't handle {expr} for arg of type {wanted}"))
                );
            }
        };
        match value {
            Some(value) => Ok(Item::plain(value)),
            None => Err(self.error(format_args!("expected {expected}; found {expr}"))),
        }
    }

    /// Checks a value against a parameter.
    fn validate(&self, item: Item, param: Param) -> Evaluated<Item> {
        let Param::Typed(wanted) = param else { return Ok(item) };
        if wanted == Type::Any || !item.value.is_nil() && item.value.fits(wanted) {
            return Ok(item);
        }
        if item.is_none() {
            return if wanted.can_be_nil() {
                Ok(Item::plain(wanted.zero()))
            } else {
                Err(self.error(format_args!("invalid value; expected {wanted}")))
            };
        }
        let got = if item.value.is_nil() { item.type_name() } else { item.value.type_name() };
        Err(self.error(format_args!("wrong type for value; expected {wanted}; got {got}")))
    }
}

fn quoted(name: &str) -> String {
    crate::quote::quote(name, crate::quote::Escape::Unprintable)
}
