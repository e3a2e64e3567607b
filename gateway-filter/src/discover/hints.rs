//! Owns what a field's name says of its class.

/// Parts of names, in lower case and without signs, most telling first.
const HINTS: [(&str, &[&str]); 15] = [
    (
        "national-id",
        &[
            "nationalid",
            "idno",
            "idnumber",
            "idcard",
            "personalid",
            "身分證",
            "身份證",
        ],
    ),
    ("email", &["email", "mail", "信箱"]),
    (
        "mobile",
        &["mobile", "phone", "cell", "telno", "手機", "電話"],
    ),
    ("pan", &["cardnumber", "cardno", "creditcard", "卡號"]),
    (
        "bank-account",
        &["bankaccount", "accountno", "accountnumber", "iban", "帳號"],
    ),
    ("medical-record-no", &["medicalrecord", "chartno", "病歷"]),
    ("nhi-card-no", &["nhicard", "健保卡"]),
    ("passport-no", &["passport", "護照"]),
    (
        "business-no",
        &["businessno", "taxid", "ubn", "統編", "統一編號"],
    ),
    ("invoice-carrier", &["carrier", "載具"]),
    (
        "plate-no",
        &["plateno", "platenumber", "licenseplate", "車牌", "車號"],
    ),
    (
        "birth-date",
        &["birthdate", "birthday", "dateofbirth", "生日", "出生"],
    ),
    ("diagnosis", &["diagnosis", "診斷"]),
    ("address", &["address", "addr", "地址", "住址"]),
    (
        "name",
        &[
            "fullname",
            "firstname",
            "lastname",
            "familyname",
            "givenname",
            "姓名",
        ],
    ),
];

/// Names that are a hint only when they are all of the name.
const WHOLE: [(&str, &[&str]); 4] = [
    ("name", &["name"]),
    ("pan", &["pan"]),
    ("birth-date", &["dob", "birth"]),
    ("mobile", &["tel"]),
];

/// The class that a name speaks of.
pub(super) fn class(name: &str) -> Option<&'static str> {
    let plain: String = name
        .chars()
        .filter(|next| next.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let whole = WHOLE
        .iter()
        .find(|(_, words)| words.contains(&plain.as_str()));
    let part = || {
        HINTS
            .iter()
            .find(|(_, words)| words.iter().any(|word| plain.contains(word)))
    };
    whole.or_else(part).map(|(class, _)| *class)
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn names_speak_of_classes_however_they_are_spelled() {
        for name in [
            "national_id",
            "nationalId",
            "NATIONAL-ID",
            "payer_national_id_2",
            "身分證字號",
        ] {
            assert_eq!(class(name), Some("national-id"), "{name}");
        }
        assert_eq!(class("name"), Some("name"));
        assert_eq!(class("filename"), None);
        assert_eq!(class("pan"), Some("pan"));
        assert_eq!(class("company"), None);
        assert_eq!(class("email_address"), Some("email"));
        assert_eq!(class("amount"), None);
    }
}
