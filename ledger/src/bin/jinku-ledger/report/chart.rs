//! Charts as SVG, drawn from numbers: no script, no outside resource. Every name is escaped.

use std::fmt::Write as _;

use super::tables::date;
use crate::screen::shown;

const WIDTH: u64 = 720;
const LABEL_WIDTH: u64 = 200;
const ROW_HEIGHT: u64 = 24;
const NAME_CHARS_MAX: usize = 26;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Text for HTML and SVG: hidden characters shown, markup escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in shown(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A bar for each name, in parts of one colour each; the names of the parts stand in the legend.
pub(super) fn bars(title: &str, parts: &[&str], rows: &[(String, Vec<u64>)]) -> String {
    let most = rows
        .iter()
        .map(|(_, counts)| counts.iter().sum::<u64>())
        .max();
    let most = most.unwrap_or(0).max(1);
    let room = WIDTH - LABEL_WIDTH - 90;
    let height = ROW_HEIGHT * rows.len() as u64 + 8;
    let mut svg = opened(title, height);
    for (row, (name, counts)) in (0..).zip(rows) {
        let (y, mut x) = (row * ROW_HEIGHT + 4, LABEL_WIDTH);
        label(&mut svg, LABEL_WIDTH - 8, y + 15, "end", name);
        for (part, count) in counts.iter().enumerate() {
            let width = scaled(*count, most, room);
            let _ = write!(
                svg,
                "<rect class=\"p{part}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"18\"><title>{}: {} {count}</title></rect>",
                escaped(name),
                escaped(parts.get(part).copied().unwrap_or_default()),
            );
            x += width;
        }
        label(
            &mut svg,
            x + 6,
            y + 14,
            "start",
            &counts.iter().sum::<u64>().to_string(),
        );
    }
    svg.push_str("</svg>");
    svg + &legend(parts)
}

/// A column for each day from the first to the last; many days share one.
pub(super) fn columns(title: &str, days: &[(u64, u64)]) -> String {
    let (Some((first, _)), Some((last, _))) = (days.first(), days.last()) else {
        return String::new();
    };
    let room = WIDTH - 80;
    let width_days = (last - first) / room.div_ceil(4) + 1;
    let slots = usize::try_from((last - first) / width_days + 1).unwrap_or(1);
    let mut sums = vec![0_u64; slots];
    for (day, count) in days {
        let slot = usize::try_from((day - first) / width_days).unwrap_or(0);
        sums[slot] += count;
    }
    let most = sums.iter().copied().max().unwrap_or(0).max(1);
    let step = (room / slots as u64).clamp(1, 40);
    let mut svg = opened(title, 190);
    for (slot, sum) in (0..).zip(&sums) {
        let height = scaled(*sum, most, 140);
        let (x, y) = (60 + slot * step, 150 - height);
        let bar = step.saturating_sub(1).max(1);
        let _ = write!(
            svg,
            "<rect class=\"p0\" x=\"{x}\" y=\"{y}\" width=\"{bar}\" height=\"{height}\"><title>{}: {sum}</title></rect>",
            date(first + slot * width_days),
        );
    }
    label(&mut svg, 54, 20, "end", &most.to_string());
    label(&mut svg, 54, 150, "end", "0");
    label(&mut svg, 60, 172, "start", &date(*first));
    let end = 60 + slots as u64 * step;
    if *last > *first && end > 260 {
        label(&mut svg, end, 172, "end", &date(*last));
    }
    svg.push_str("</svg>");
    svg
}

/// A square for each hour of each weekday; the darker, the more.
pub(super) fn clock(title: &str, counts: &[[u64; 24]; 7]) -> String {
    let most = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
    let mut svg = opened(title, 7 * 22 + 34);
    for (y, (day, hours)) in (0..).zip(WEEKDAYS.iter().zip(counts)) {
        label(&mut svg, 46, y * 22 + 16, "end", day);
        for (hour, count) in (0..).zip(hours) {
            // Anything at all is seen: unusual hours are rare ones.
            let percent = if *count == 0 {
                0
            } else {
                15 + scaled(*count, most, 85)
            };
            let (x, y) = (54 + hour * 27, y * 22 + 1);
            let _ = write!(
                svg,
                "<rect class=\"cell\" x=\"{x}\" y=\"{y}\" width=\"25\" height=\"20\"/><rect class=\"p0\" x=\"{x}\" y=\"{y}\" width=\"25\" height=\"20\" fill-opacity=\"{}.{:02}\"><title>{day} {hour:02}:00: {count}</title></rect>",
                percent / 100,
                percent % 100,
            );
        }
    }
    for hour in (0..24).step_by(3) {
        label(
            &mut svg,
            54 + hour * 27,
            7 * 22 + 18,
            "start",
            &format!("{hour:02}"),
        );
    }
    svg.push_str("</svg>");
    svg
}

fn opened(title: &str, height: u64) -> String {
    let title = escaped(title);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
    )
}

fn label(svg: &mut String, x: u64, y: u64, anchor: &str, text: &str) {
    let cut: String = text.chars().take(NAME_CHARS_MAX).collect();
    let cut = if cut.len() < text.len() {
        cut + "…"
    } else {
        cut
    };
    let text = escaped(&cut);
    let _ = write!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

fn legend(parts: &[&str]) -> String {
    let mut html = String::from("<p class=\"legend\">");
    for (part, name) in parts.iter().enumerate() {
        let _ = write!(html, "<span class=\"k{part}\"></span>{} ", escaped(name));
    }
    html + "</p>"
}

fn scaled(count: u64, most: u64, room: u64) -> u64 {
    let scaled = u128::from(count) * u128::from(room) / u128::from(most.max(1));
    u64::try_from(scaled).unwrap_or(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_text() {
        let name = "</title><script>alert('1')</script>&\"\u{202e}";
        let svg = bars(name, &[name], &[(name.to_owned(), vec![3])]);
        assert!(
            !svg.contains("<script") && !svg.contains('\u{202e}'),
            "{svg}"
        );
        assert!(
            svg.contains("&lt;script&gt;") && svg.contains("&#39;"),
            "{svg}"
        );
    }

    #[test]
    fn days_over_centuries_are_drawn_in_bounds() {
        let svg = columns("days", &[(0, 1), (200_000, u64::MAX / 2), (213_503_982, 1)]);
        assert!(svg.matches("<rect").count() < 200, "{}", svg.len());
        assert_eq!(columns("days", &[]), "");
    }
}
