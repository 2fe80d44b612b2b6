//! A command's arguments as a struct: each field is defined once, and read into its type.

use super::failure::Failure;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

/// Defines a struct with a field for each argument. The argument's definition follows the field's
/// type. The field's name is the argument's ID, also for clap's `conflicts_with` and `requires`.
macro_rules! args {
    (@given) => { () };
    (@given $given:ty) => { $given };
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(($param:ident: $param_type:ty))? {
        $($(#[$field_meta:meta])* $field:ident: $type:ty = $definition:expr,)*
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$field_meta])* $vis $field: $type,)*
        }

        impl $crate::cli::args::Given for $name {
            type Definition = $crate::cli::args::args!(@given $($param_type)?);

            fn define(
                command: clap::Command,
                _: &'static str,
                given: Self::Definition,
            ) -> clap::Command {
                let _ = given;
                $(let $param = given;)?
                $(let command = <$type as $crate::cli::args::Given>::define(
                    command,
                    stringify!($field),
                    $definition,
                );)*
                command
            }

            fn read(
                matches: &clap::ArgMatches,
                _: &'static str,
            ) -> Result<Self, $crate::cli::failure::Failure> {
                Ok(Self {
                    $($field: $crate::cli::args::Given::read(matches, stringify!($field))?,)*
                })
            }
        }
    };
}
pub(super) use args;

/// What a command line gives for a field.
pub(super) trait Given: Sized {
    /// The type of an argument's definition.
    type Definition;

    /// Adds the argument, or the arguments of a struct.
    fn define(
        command: clap::Command,
        id: &'static str,
        definition: Self::Definition,
    ) -> clap::Command;

    /// Reads what was given.
    fn read(matches: &ArgMatches, id: &'static str) -> Result<Self, Failure>;
}

/// A value that an argument's parser returns.
pub(super) trait Value: Clone + Send + Sync + 'static {}

macro_rules! values {
    ($($type:ty),* $(,)?) => { $(impl $crate::cli::args::Value for $type {})* };
}
pub(super) use values;

values!(String, u16, u32, u64, std::path::PathBuf, std::time::Duration);
values!(crate::Offset, crate::decimal::Decimal, super::times::Time, super::times::Tai);
values!(crate::phc::SystemClock, crate::phc::PinFunction, crate::phc::Edges);

/// A flag.
impl Given for bool {
    type Definition = Arg;

    fn define(command: clap::Command, id: &'static str, argument: Arg) -> clap::Command {
        command.arg(argument.id(id))
    }

    fn read(matches: &ArgMatches, id: &'static str) -> Result<Self, Failure> {
        Ok(matches.get_flag(id))
    }
}

/// What may be left out.
impl<T: Value> Given for Option<T> {
    type Definition = Arg;

    fn define(command: clap::Command, id: &'static str, argument: Arg) -> clap::Command {
        command.arg(argument.id(id))
    }

    fn read(matches: &ArgMatches, id: &'static str) -> Result<Self, Failure> {
        Ok(matches.get_one(id).cloned())
    }
}

/// What can be given several times.
impl<T: Value> Given for Vec<T> {
    type Definition = Arg;

    fn define(command: clap::Command, id: &'static str, argument: Arg) -> clap::Command {
        command.arg(argument.id(id))
    }

    fn read(matches: &ArgMatches, id: &'static str) -> Result<Self, Failure> {
        Ok(matches.get_many(id).into_iter().flatten().cloned().collect())
    }
}

/// What is required or has a default.
impl<T: Value> Given for T {
    type Definition = Arg;

    fn define(command: clap::Command, id: &'static str, argument: Arg) -> clap::Command {
        command.arg(argument.id(id))
    }

    fn read(matches: &ArgMatches, id: &'static str) -> Result<Self, Failure> {
        let given = matches.get_one(id).cloned();
        // Clap has made sure of it.
        given.ok_or_else(|| Failure::Usage(format!("{id} is missing")))
    }
}

/// A value that has a default, and whether the command line gave another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaulted<T> {
    pub(super) value: T,
    pub(super) is_told: bool,
}

impl<T: Value> Given for Defaulted<T> {
    type Definition = Arg;

    fn define(command: clap::Command, id: &'static str, argument: Arg) -> clap::Command {
        command.arg(argument.id(id))
    }

    fn read(matches: &ArgMatches, id: &'static str) -> Result<Self, Failure> {
        let is_told = matches.value_source(id) == Some(ValueSource::CommandLine);
        Ok(Self { value: T::read(matches, id)?, is_told })
    }
}

/// Adds a command's arguments.
pub(super) fn define<T: Given<Definition = ()>>(command: clap::Command) -> clap::Command {
    T::define(command, "", ())
}

/// Reads a command's arguments.
pub(super) fn read<T: Given<Definition = ()>>(matches: &ArgMatches) -> Result<T, Failure> {
    T::read(matches, "")
}
