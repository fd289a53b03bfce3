//! Figures that are read one by one: telephone numbers, codes, versions.
use super::numbers::{code, each, whole};
use crate::text::normalize::rules::Rule;

/// Words before figures that are read one by one.
const CODES: [&str; 37] = [
    "电话",
    "手机",
    "手机号",
    "号码",
    "热线",
    "拨打",
    "拨",
    "致电",
    "打",
    "尾号",
    "编号",
    "工号",
    "学号",
    "房号",
    "房间",
    "房间号",
    "验证码",
    "密码",
    "邮编",
    "邮政编码",
    "账号",
    "帐号",
    "卡号",
    "代码",
    "股票代码",
    "编码",
    "车牌号",
    "qq",
    "qq号",
    "报警",
    "客服",
    "传真",
    "分机",
    "电话是",
    "密码是",
    "验证码是",
    "尾号为",
];

pub fn rules() -> Vec<Rule> {
    vec![
        Rule::new(r"[0-9]{3,}(?:[- ][0-9]+){0,5}", |m| m.follows(&CODES).then(|| phone(m.all()))),
        Rule::new(r"(?:\+?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}", |m| Some(phone(m.all()))),
        Rule::new(r"\+[0-9]{1,3}(?:[- ][0-9]{2,5}){1,5}", |m| Some(phone(m.all()))),
        Rule::new(r"0[0-9]{2,3}-[0-9]{7,8}|[48]00-[0-9]{3,4}-[0-9]{3,4}", |m| Some(phone(m.all()))),
        Rule::new(r"[0-9]+(?:-[0-9]+){2,6}", |m| Some(phone(m.all()))),
        Rule::new("([0-9]{3,4})(室|号房|房间|路公交|路车|航班)", |m| Some(code(m.get(1)) + m.get(2))),
        Rule::new(r"[0-9]{1,4}(?:\.[0-9]{1,4}){2,5}", |m| {
            // Four groups are an address of the internet.
            let groups = m.all().split('.');
            let read = if groups.clone().count() == 4 { each } else { whole };
            Some(groups.map(read).collect::<Vec<_>>().join("点"))
        }),
        Rule::new(r"([vV])([0-9]{1,4}(?:\.[0-9]{1,4}){0,5})", |m| {
            Some(m.get(1).to_uppercase() + &m.get(2).split('.').map(whole).collect::<Vec<_>>().join("点"))
        }),
    ]
}

/// Figures of a telephone number; the groups are set apart by pauses.
fn phone(written: &str) -> String {
    let plus = if written.starts_with('+') { "加" } else { "" };
    let groups = written.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
    plus.to_string() + &groups.map(code).collect::<Vec<_>>().join("，")
}
