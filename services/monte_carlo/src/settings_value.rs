//! One value of a setting as it was told, and the rules that it may break.

/// What stood in the file or in the environment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// A string; everything in the environment is one.
    Text(String),
    /// A number, as it was written.
    Number(String),
    /// A truth value.
    Truth(bool),
    /// A list of strings.
    Names(Vec<String>),
    /// Nothing.
    Null,
    /// Another list, or a table.
    Structure,
}

impl Told {
    /// As a sentence repeats it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(text) if text.contains('@') => "that value".into(),
            Self::Text(text) => format!("'{text}'"),
            Self::Number(text) => text.clone(),
            Self::Truth(truth) => truth.to_string(),
            Self::Null => "null".into(),
            Self::Names(_) | Self::Structure => "a list or a table".into(),
        }
    }

    /// A string.
    pub(crate) fn text(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            _ => Err("input should be a valid string".into()),
        }
    }

    /// A list of strings; in the environment as JSON.
    pub(crate) fn names(&self) -> Result<Vec<String>, String> {
        let rule = || r#"input should be a list of names, such as ["localhost"]"#.to_string();
        match self {
            Self::Names(names) => Ok(names.clone()),
            Self::Text(text) => serde_json::from_str(text).map_err(|_| rule()),
            _ => Err(rule()),
        }
    }

    /// A whole number between two bounds.
    pub(crate) fn whole<T: TryFrom<i64>>(&self, least: i64, most: i64) -> Result<T, String> {
        let rule = || format!("input should be a whole number from {least} to {most}");
        let number: i64 = self.number(rule)?.parse().map_err(|_| rule())?;
        if !(least..=most).contains(&number) {
            return Err(rule());
        }
        T::try_from(number).map_err(|_| rule())
    }

    /// Seconds, more than 0 and at most an hour.
    pub(crate) fn seconds(&self) -> Result<f64, String> {
        let rule = || "input should be greater than 0 and at most 3600".to_string();
        let seconds: f64 = self.number(rule)?.parse().map_err(|_| rule())?;
        if seconds > 0.0 && seconds <= 3600.0 {
            Ok(seconds)
        } else {
            Err(rule())
        }
    }

    /// True or false, in the words that the other services take.
    pub(crate) fn truth(&self) -> Result<bool, String> {
        let word = match self {
            Self::Truth(truth) => return Ok(*truth),
            Self::Text(text) | Self::Number(text) => text.to_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
            "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
            _ => Err("input should be true or false".into()),
        }
    }

    fn number(&self, rule: impl Fn() -> String) -> Result<&str, String> {
        match self {
            Self::Text(text) | Self::Number(text) => Ok(text.trim()),
            Self::Truth(_) => Err("it must be a number".into()),
            Self::Names(_) | Self::Null | Self::Structure => Err(rule()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_stays_in_its_bounds() {
        let told = |text: &str| Told::Text(text.into()).whole::<u16>(0, 65_535);
        assert_eq!(told("8080"), Ok(8080));
        let refused = Err("input should be a whole number from 0 to 65535".to_string());
        for text in ["-1", "65536", "80.5", "x", ""] {
            assert_eq!(told(text), refused);
        }
        let truth = Told::Truth(false).whole::<u16>(0, 65_535);
        assert_eq!(truth, Err("it must be a number".into()));
    }

    #[test]
    fn seconds_are_above_zero_and_never_endless() {
        assert_eq!(Told::Number("0.5".into()).seconds(), Ok(0.5));
        for text in ["0", "-1", "3601", "inf", "nan", "soon"] {
            assert!(Told::Text(text.into()).seconds().is_err(), "{text}");
        }
    }

    #[test]
    fn truth_is_told_in_many_words() {
        assert_eq!(Told::Text("ON".into()).truth(), Ok(true));
        assert_eq!(Told::Truth(false).truth(), Ok(false));
        assert!(Told::Text("maybe".into()).truth().is_err());
        assert!(Told::Null.truth().is_err());
    }

    #[test]
    fn a_value_that_may_hold_a_password_is_not_repeated() {
        assert_eq!(Told::Text("me:secret@host".into()).shown(), "that value");
        assert_eq!(Told::Text("abc".into()).shown(), "'abc'");
    }
}
