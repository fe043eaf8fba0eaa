//! The labels of a classifier: what transformers calls `XForSequenceClassification`.

use serde_json::Value;

use super::fields::Fields;
use crate::error::ModelError;

/// Names of the labels in the order of the head's rows, or none where the files are no classifier's.
///
/// # Errors
/// [`ModelError::Field`] where a label has no name, or where a text may have several or has a number.
pub(super) fn read(fields: &Fields<'_>) -> Result<Vec<String>, ModelError> {
    if !is_classifier(fields) {
        return Ok(Vec::new());
    }
    if let Some(other) = fields.optional_text(KIND)?.filter(|&kind| kind != ONE_OF_THEM) {
        return Err(fields.wrong(KIND, format!("`{other}` is not supported; {ONE_OF_THEM} is")));
    }
    let Some(names) = fields.inner(NAMES)? else {
        // transformers leaves out what is its default.
        return Ok(["LABEL_0", "LABEL_1"].map(str::to_owned).to_vec());
    };
    if names.object.is_empty() {
        return Err(fields.wrong(&[NAMES], "has no labels"));
    }
    let numbers = (0..names.object.len()).map(|number| number.to_string());
    numbers.map(|number| name(&names, &number)).collect()
}

fn is_classifier(fields: &Fields<'_>) -> bool {
    let classes = fields.get(&["architectures"]).and_then(Value::as_array);
    let mut names = classes.into_iter().flatten().filter_map(Value::as_str);
    names.any(|name| name.ends_with("ForSequenceClassification"))
}

fn name(names: &Fields<'_>, number: &str) -> Result<String, ModelError> {
    let name = names.optional_text(&[number])?;
    name.map(str::to_owned).ok_or_else(|| names.wrong(&[number], "is missing"))
}

const KIND: &[&str] = &["problem_type"];
const ONE_OF_THEM: &str = "single_label_classification";
const NAMES: &str = "id2label";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_numbers_and_have_a_default() {
        let labels = |config: Value| {
            let object = config.as_object().expect("it is an object");
            read(&Fields { object, prefix: "" }).expect("they are sound")
        };
        let names = json!({"10": "k", "0": "a", "1": "b", "2": "c", "3": "d", "4": "e", "5": "f",
            "6": "g", "7": "h", "8": "i", "9": "j"});
        let architectures = ["GPT2ForSequenceClassification"];
        let many = labels(json!({"architectures": architectures, "id2label": &names}));
        assert_eq!(many.concat(), "abcdefghijk");
        assert_eq!(labels(json!({"architectures": architectures})), ["LABEL_0", "LABEL_1"]);
        let others = json!({"architectures": ["GPT2LMHeadModel"], "id2label": names});
        assert!(labels(others).is_empty());
    }
}
