//! Output with --json keeps to the JSON Schema in the tree. Every object of every run of every test
//! is checked.

use crate::common::ptpctl;
use serde_json::Value;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../schema/ptpctl.schema.json")).expect("JSON")
});

/// The definition of a command by its name or alias.
fn definition_of(arguments: &[String]) -> Option<&'static Value> {
    let definitions = SCHEMA["$defs"].as_object().expect("definitions");
    arguments.iter().find_map(|argument| {
        let name = match argument.as_str() {
            "ls" => "list",
            "cmp" => "offset",
            "watch" => "monitor",
            "adj" => "adjtime",
            "phase" => "adjphase",
            name => name,
        };
        definitions.get(name)
    })
}

/// Checks all that a run has printed against the schema, if it was asked for JSON.
#[track_caller]
pub(crate) fn check_run(arguments: &[String], stdout: &str, stderr: &str) {
    if !arguments.iter().any(|argument| argument == "--json") {
        return;
    }
    let object = |line: &str| -> Value {
        serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))
    };
    for line in stdout.lines() {
        let definition = definition_of(arguments).expect("a command");
        if let Err(why) = check(&object(line), definition) {
            panic!("{arguments:?}: {why}: {line}");
        }
    }
    for line in stderr.lines().filter(|line| line.starts_with('{')) {
        let object = object(line);
        let name = if object.get("note").is_some() { "note" } else { "error" };
        if let Err(why) = check(&object, &SCHEMA["$defs"][name]) {
            panic!("{arguments:?}: {why}: {line}");
        }
    }
}

/// Whether a value matches a schema. These words are known: $ref, anyOf, enum, type, properties,
/// required, additionalProperties and items.
fn check(value: &Value, schema: &Value) -> Result<(), String> {
    for (word, says) in schema.as_object().ok_or("a schema is an object")? {
        match word.as_str() {
            "description" => {}
            "$ref" => {
                let name = says.as_str().and_then(|says| says.strip_prefix("#/$defs/"));
                let schema = name.and_then(|name| SCHEMA["$defs"].get(name));
                check(value, schema.ok_or("no such definition")?)?;
            }
            "anyOf" => {
                let all = says.as_array().ok_or("anyOf is a list")?;
                let whys: Vec<_> = all.iter().map_while(|one| check(value, one).err()).collect();
                if whys.len() == all.len() {
                    return Err(whys.join("; or "));
                }
            }
            "enum" => {
                let all = says.as_array().ok_or("enum is a list")?;
                if !all.contains(value) {
                    return Err(format!("{value} is none of {says}"));
                }
            }
            "type" => {
                let names = says.as_array().map_or_else(|| vec![says], |all| all.iter().collect());
                if !names.iter().any(|name| name.as_str().is_some_and(|name| is_a(value, name))) {
                    return Err(format!("{value} is no {says}"));
                }
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = says.get(key) {
                        check(value, schema).map_err(|why| format!("{key}: {why}"))?;
                    }
                }
            }
            "required" => {
                let keys = says.as_array().ok_or("required is a list")?;
                for key in keys.iter().filter_map(Value::as_str) {
                    value.get(key).ok_or_else(|| format!("{key} is missing"))?;
                }
            }
            "additionalProperties" => {
                for key in value.as_object().into_iter().flatten().map(|(key, _)| key) {
                    let known = schema["properties"].get(key);
                    known.ok_or_else(|| format!("{key} is not in the schema"))?;
                }
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    check(item, says)?;
                }
            }
            other => return Err(format!("the word {other} isn't known")),
        }
    }
    Ok(())
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// A script for a shell, and what other programs print.
const PRINTING_OTHERWISE: [&str; 3] = ["completions", "compat", "mock"];

#[test]
fn every_command_that_prints_json_is_in_the_schema() {
    let help = ptpctl("--help").done().stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty()).filter_map(|line| {
        let word = line.split_whitespace().next()?;
        line.starts_with("  ").then_some(word).filter(|word| *word != "help")
    });
    let mut number = 0;
    for command in commands.filter(|command| !PRINTING_OTHERWISE.contains(command)) {
        assert!(definition_of(&[command.to_owned()]).is_some(), "{command}");
        number += 1;
    }
    assert!(number >= 22, "{number}");
}

#[test]
fn an_object_that_is_not_as_the_schema_says_is_found() {
    let arguments = ["get", "--json"].map(str::to_owned);
    let printed = ptpctl("get --json mock").done().stdout;
    for (from, to) in [
        ("\"unset\":false", "\"unset\":0"),
        ("\"unset\":false", "\"unset\":false,\"more\":1"),
        ("\"unset\":false,", ""),
        ("\"nanoseconds\":", "\"nanos\":"),
        ("\"fits\":\"utc\"", "\"fits\":\"gps\""),
        ("\"schema\":2", "\"schema\":1"),
        ("\"notes\":[]", "\"notes\":[1]"),
    ] {
        assert!(printed.contains(from), "{from}: {printed}");
        let wrong = printed.replacen(from, to, 1);
        let found = std::panic::catch_unwind(|| check_run(&arguments, &wrong, ""));
        assert!(found.is_err(), "{wrong}");
    }
}
