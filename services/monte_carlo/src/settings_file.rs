//! A YAML file of settings as keys and values.

use crate::settings_value::Told;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use yaml_rust2::{Yaml, YamlLoader};

/// The keys of the file, none if it is empty; or one sentence.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, Told>, String> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{shown}: no such settings file"),
        _ => format!("{shown}: the file cannot be read: {error}"),
    })?;
    let text =
        String::from_utf8(bytes).map_err(|_| format!("{shown}: the file is not UTF-8 text"))?;
    parse(&text).map_err(|sentence| format!("{shown}: {sentence}"))
}

fn parse(text: &str) -> Result<BTreeMap<String, Told>, String> {
    // A key that stands twice is an error of the parser's.
    let documents = YamlLoader::load_from_str(text)
        .map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
    let table = match documents.as_slice() {
        [] | [Yaml::Null] => return Ok(BTreeMap::new()),
        [Yaml::Hash(table)] => table,
        _ => return Err(rule()),
    };
    let told = |(key, value): (&Yaml, &Yaml)| match key {
        Yaml::String(key) => Ok((key.clone(), told(value))),
        _ => Err(rule()),
    };
    table.iter().map(told).collect()
}

fn rule() -> String {
    "the file must hold keys and values, such as `http_port: 9100`".into()
}

fn told(value: &Yaml) -> Told {
    match value {
        Yaml::String(text) | Yaml::Real(text) if value.as_str().is_some() => {
            Told::Text(text.clone())
        }
        Yaml::Real(text) => Told::Number(text.clone()),
        Yaml::Integer(number) => Told::Number(number.to_string()),
        Yaml::Boolean(truth) => Told::Truth(*truth),
        Yaml::Null => Told::Null,
        Yaml::Array(items) => names(items).map_or(Told::Structure, Told::Names),
        _ => Told::Structure,
    }
}

/// The strings of a list that holds nothing else.
fn names(items: &[Yaml]) -> Option<Vec<String>> {
    items
        .iter()
        .map(|item| item.as_str().map(Into::into))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plain_value_keeps_its_kind() {
        let found = parse("a: x\nb: 7\nc: 0.5\nd: true\ne:\nf: [1]\ng: '7'\nh: [x, y]\n").unwrap();
        let expected = [
            ("a", Told::Text("x".into())),
            ("b", Told::Number("7".into())),
            ("c", Told::Number("0.5".into())),
            ("d", Told::Truth(true)),
            ("e", Told::Null),
            ("f", Told::Structure),
            ("g", Told::Text("7".into())),
            ("h", Told::Names(vec!["x".into(), "y".into()])),
        ];
        let expected = expected.map(|(key, value)| (key.to_string(), value));
        assert_eq!(found, BTreeMap::from(expected));
        assert_eq!(parse("# nothing\n").unwrap(), BTreeMap::new());
    }

    #[test]
    fn what_holds_no_keys_and_values_is_refused() {
        for text in ["- a\n", "just words\n", "1: one\n", "a: 1\n---\nb: 2\n"] {
            assert_eq!(parse(text), Err(rule()), "{text}");
        }
        for text in ["a: 1\na: 2\n", "a: [1\n", "a: 1\n b: 2\n"] {
            let refused = parse(text);
            assert!(
                refused.is_err_and(|told| told.starts_with("line ")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let sentence = read(Path::new("nowhere.yaml")).unwrap_err();
        assert_eq!(sentence, "nowhere.yaml: no such settings file");
    }
}
