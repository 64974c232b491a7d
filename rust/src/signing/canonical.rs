//! The venue's own form of an action: keys in its order, decimals normalized, hex in lower case.
//!
//! The venue reads the JSON of an action into a type and hashes what that type writes, so a body
//! with reordered keys or padded decimals still recovers its signer. The tables below are the key
//! orders of the exchange page. Called by `recover_l1` alone; our own actions are written canonical.

use super::msgpack::Value;

/// Why an action has no canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// Dotted path of the value at fault.
    pub path: String,
    /// What was expected there.
    pub expected: &'static str,
}

/// What a value must be, and how it is normalized.
#[derive(Clone, Copy)]
enum Shape {
    Integer,
    Boolean,
    Text,
    Decimal,
    Hex,
    /// An order id, or a client order id.
    OidOrCloid,
    Any,
    List(&'static Shape),
    Map(&'static [Field]),
}

#[derive(Clone, Copy)]
struct Field {
    key: &'static str,
    shape: Shape,
    optional: bool,
}

const fn must(key: &'static str, shape: Shape) -> Field {
    Field {
        key,
        shape,
        optional: false,
    }
}

const fn may(key: &'static str, shape: Shape) -> Field {
    Field {
        key,
        shape,
        optional: true,
    }
}

const LIMIT: &[Field] = &[must("tif", Shape::Text)];
const TRIGGER: &[Field] = &[
    must("isMarket", Shape::Boolean),
    must("triggerPx", Shape::Decimal),
    must("tpsl", Shape::Text),
];
const ORDER_TYPE: &[Field] = &[may("limit", Shape::Map(LIMIT)), may("trigger", Shape::Map(TRIGGER))];
const ORDER: &[Field] = &[
    must("a", Shape::Integer),
    must("b", Shape::Boolean),
    must("p", Shape::Decimal),
    must("s", Shape::Decimal),
    must("r", Shape::Boolean),
    must("t", Shape::Map(ORDER_TYPE)),
    may("c", Shape::Hex),
];
const BUILDER: &[Field] = &[must("b", Shape::Hex), must("f", Shape::Integer)];
const CANCEL: &[Field] = &[must("a", Shape::Integer), must("o", Shape::Integer)];
const CANCEL_BY_CLOID: &[Field] = &[must("asset", Shape::Integer), must("cloid", Shape::Hex)];
const MODIFY: &[Field] = &[must("oid", Shape::OidOrCloid), must("order", Shape::Map(ORDER))];

/// Per type of action the keys after `type`, in the venue's order.
const ACTIONS: &[(&str, &[Field])] = &[
    (
        "order",
        &[
            must("orders", Shape::List(&Shape::Map(ORDER))),
            must("grouping", Shape::Any),
            may("builder", Shape::Map(BUILDER)),
        ],
    ),
    ("cancel", &[must("cancels", Shape::List(&Shape::Map(CANCEL)))]),
    (
        "cancelByCloid",
        &[must("cancels", Shape::List(&Shape::Map(CANCEL_BY_CLOID)))],
    ),
    ("modify", MODIFY),
    ("batchModify", &[must("modifies", Shape::List(&Shape::Map(MODIFY)))]),
    ("scheduleCancel", &[may("time", Shape::Integer)]),
    (
        "updateLeverage",
        &[
            must("asset", Shape::Integer),
            must("isCross", Shape::Boolean),
            must("leverage", Shape::Integer),
        ],
    ),
    (
        "updateIsolatedMargin",
        &[
            must("asset", Shape::Integer),
            must("isBuy", Shape::Boolean),
            must("ntli", Shape::Integer),
        ],
    ),
    (
        "topUpIsolatedOnlyMargin",
        &[must("asset", Shape::Integer), must("leverage", Shape::Decimal)],
    ),
    ("noop", &[]),
    ("reserveRequestWeight", &[must("weight", Shape::Integer)]),
    ("agentSetAbstraction", &[must("abstraction", Shape::Text)]),
];

/// The canonical form of `action`; an unknown type keeps the order of its JSON.
pub fn canonical(action: Value) -> Result<Value, ShapeError> {
    let Value::Map(mut entries) = action else {
        return Err(fault("action", "an object"));
    };
    let Some(Value::Text(action_type)) = take(&mut entries, "type") else {
        return Err(fault("action.type", "a text"));
    };
    let known = ACTIONS.iter().find(|(name, _)| *name == action_type);
    let head = ("type".to_owned(), Value::Text(action_type));
    let Some((_, fields)) = known else {
        // The venue would know the type; without its table the JSON order is the best guess, and
        // every client known writes `type` first.
        entries.insert(0, head);
        return Ok(Value::Map(entries));
    };
    let mut ordered = vec![head];
    ordered.append(&mut in_order(entries, fields, "action")?);
    Ok(Value::Map(ordered))
}

fn in_order(
    mut entries: Vec<(String, Value)>,
    fields: &[Field],
    path: &str,
) -> Result<Vec<(String, Value)>, ShapeError> {
    let mut ordered = Vec::with_capacity(entries.len());
    for field in fields {
        let here = format!("{path}.{}", field.key);
        match take(&mut entries, field.key) {
            Some(Value::Null) | None if field.optional => {}
            Some(value) => {
                ordered.push((field.key.to_owned(), normalize(value, field.shape, &here)?));
            }
            None => return Err(fault(&here, "present")),
        }
    }
    // Fields newer than this table are hashed where their sender put them: after the known ones.
    ordered.append(&mut entries);
    Ok(ordered)
}

fn normalize(value: Value, shape: Shape, path: &str) -> Result<Value, ShapeError> {
    match (shape, value) {
        (Shape::Any, value)
        | (Shape::Integer | Shape::OidOrCloid, value @ (Value::Uint(_) | Value::Int(_)))
        | (Shape::Boolean, value @ Value::Bool(_))
        | (Shape::Text, value @ Value::Text(_)) => Ok(value),
        (Shape::Decimal, Value::Text(text)) => plain_decimal(&text)
            .map(Value::Text)
            .ok_or_else(|| fault(path, "a plain decimal")),
        (Shape::Hex | Shape::OidOrCloid, Value::Text(text)) => {
            let digits = text.strip_prefix("0x").unwrap_or("");
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(fault(path, "0x and hex digits"));
            }
            Ok(Value::Text(text.to_ascii_lowercase()))
        }
        (Shape::List(item), Value::List(items)) => items
            .into_iter()
            .enumerate()
            .map(|(i, value)| normalize(value, *item, &format!("{path}.{i}")))
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Shape::Map(fields), Value::Map(entries)) => in_order(entries, fields, path).map(Value::Map),
        (shape, _) => Err(fault(path, expected(shape))),
    }
}

fn expected(shape: Shape) -> &'static str {
    match shape {
        Shape::Integer => "an integer",
        Shape::Boolean => "a boolean",
        Shape::Text => "a text",
        Shape::Decimal => "a decimal text",
        Shape::Hex => "a hex text",
        Shape::OidOrCloid => "an order id or a client order id",
        Shape::Any => "a value",
        Shape::List(_) => "a list",
        Shape::Map(_) => "an object",
    }
}

/// `text` without zeros that say nothing; `None` unless it is `-?digits[.digits]`.
fn plain_decimal(text: &str) -> Option<String> {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || rest.ends_with('.') {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    Some(match (whole, fraction) {
        ("", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        ("", fraction) => format!("{sign}0.{fraction}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    })
}

fn take(entries: &mut Vec<(String, Value)>, key: &str) -> Option<Value> {
    let at = entries.iter().position(|(name, _)| name == key)?;
    Some(entries.remove(at).1)
}

fn fault(path: &str, expected: &'static str) -> ShapeError {
    ShapeError {
        path: path.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn reordered_keys_padded_decimals_and_upper_case_hex_come_to_one_form() {
        let ours = r#"{"type":"order","orders":[{"a":1,"b":true,"p":"100","s":"0.5","r":false,
            "t":{"limit":{"tif":"Gtc"}},"c":"0x0000000000000000000000000000000a"}],"grouping":"na"}"#;
        let theirs = r#"{"grouping":"na","orders":[{"c":"0x0000000000000000000000000000000A","t":{"limit":{"tif":"Gtc"}},
            "r":false,"s":"00.500","p":"100.00","b":true,"a":1}],"type":"order","builder":null}"#;
        assert_eq!(canonical(value(theirs)).unwrap(), value(ours));
    }

    #[test]
    fn unknown_actions_keep_their_order_and_unknown_keys_come_last() {
        let dummy = value(r#"{"type":"dummy","z":1,"a":2}"#);
        assert_eq!(canonical(dummy.clone()), Ok(dummy));
        let newer = canonical(value(r#"{"type":"cancel","fast":1,"cancels":[]}"#)).unwrap();
        assert_eq!(newer, value(r#"{"type":"cancel","cancels":[],"fast":1}"#));
    }

    #[test]
    fn what_has_no_canonical_form_names_its_place() {
        for (json, path) in [
            ("[]", "action"),
            ("{}", "action.type"),
            (r#"{"type":"cancel"}"#, "action.cancels"),
            (r#"{"type":"cancel","cancels":[{"a":1,"o":"x"}]}"#, "action.cancels.0.o"),
            (r#"{"type":"modify","oid":"12","order":{}}"#, "action.oid"),
            (
                r#"{"type":"updateLeverage","asset":1,"isCross":1,"leverage":2}"#,
                "action.isCross",
            ),
        ] {
            assert_eq!(canonical(value(json)).unwrap_err().path, path, "{json}");
        }
    }

    #[test]
    fn decimals_lose_only_what_says_nothing() {
        for (text, plain) in [
            ("1.50", "1.5"),
            ("007", "7"),
            ("0.0", "0"),
            ("-0", "0"),
            ("-0.10", "-0.1"),
            ("100", "100"),
        ] {
            assert_eq!(plain_decimal(text).as_deref(), Some(plain), "{text}");
        }
        for text in ["", ".", "1.", ".5", "1e5", "NaN", "--1"] {
            assert_eq!(plain_decimal(text), None, "{text}");
        }
    }
}
