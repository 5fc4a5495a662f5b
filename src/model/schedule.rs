//! Schedules of jobs: how long two of their periods are.
//!
//! The notation is that of the CronJob controller (robfig/cron): five fields, steps, ranges, names,
//! `@daily` and the like, `@every 6h`; days of month and week are joined by or if both are given. A
//! sixth field in front, as CloudNativePG has it, are seconds. Time zones shift all runs alike and
//! are left out.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

/// Days that are searched for past runs: a yearly schedule's last three, with leap years.
const HORIZON: i64 = 3 * 4 * 366;

/// The time from the third-last run before `now` to the last one: two periods of the schedule as it
/// stands at that time. `None` for a text that is no schedule, or one that hardly ever runs.
pub fn two_periods(schedule: &str, now: Timestamp) -> Option<SignedDuration> {
    let text = without_zone(schedule.trim());
    if let Some(every) = text.strip_prefix("@every ") {
        return parse_duration(every.trim()).map(|period| period * 2);
    }
    let fields = Fields::parse(text)?;
    let runs = fields.last_runs(now.to_zoned(jiff::tz::TimeZone::UTC).datetime(), 3);
    let [last, _, third] = runs[..] else {
        return None;
    };
    Some(last.duration_since(third))
}

fn without_zone(text: &str) -> &str {
    let zoned = text.starts_with("TZ=") || text.starts_with("CRON_TZ=");
    if zoned { text.split_once(' ').map_or("", |(_, rest)| rest.trim()) } else { text }
}

/// A duration as Go writes it: `1h30m`.
fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (mut total, mut rest) = (SignedDuration::ZERO, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let seconds = match &rest[digits..unit_end] {
            "h" => 3600,
            "m" => 60,
            "s" => 1,
            _ => return None,
        };
        total = total.checked_add(SignedDuration::from_secs(number.checked_mul(seconds)?))?;
        rest = &rest[unit_end..];
    }
    (!total.is_zero()).then_some(total)
}

/// The allowed values of each field, ascending.
struct Fields {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Vec<i8>,
    months: Vec<i8>,
    weekdays: Vec<i8>,
    /// True if a day must meet both its fields: one of them is a star.
    both: bool,
}

impl Fields {
    fn parse(text: &str) -> Option<Self> {
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let all: Vec<&str> = text.split_whitespace().collect();
        let fields = if all.len() == 6 { &all[1..] } else { &all[..] };
        let [minute, hour, day, month, weekday] = fields else {
            return None;
        };
        let is_star = |field: &str| field.starts_with(['*', '?']);
        let mut weekdays = values(weekday, 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"], 0)?;
        if weekdays.contains(&7) {
            weekdays.insert(0, 0);
        }
        Some(Self {
            minutes: values(minute, 0, 59, &[], 0)?,
            hours: values(hour, 0, 23, &[], 0)?,
            days: values(day, 1, 31, &[], 0)?,
            months: values(
                month,
                1,
                12,
                &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
                1,
            )?,
            weekdays,
            both: is_star(day) || is_star(weekday),
        })
    }

    fn is_day(&self, date: Date) -> bool {
        let day = self.days.contains(&date.day());
        let weekday = self.weekdays.contains(&date.weekday().to_sunday_zero_offset());
        self.months.contains(&date.month()) && if self.both { day && weekday } else { day || weekday }
    }

    /// The last runs at or before a time, the latest first.
    fn last_runs(&self, now: DateTime, count: usize) -> Vec<DateTime> {
        let mut runs = Vec::new();
        let mut date = now.date();
        for _ in 0..HORIZON {
            if self.is_day(date) {
                let times = self
                    .hours
                    .iter()
                    .rev()
                    .flat_map(|hour| self.minutes.iter().rev().map(move |minute| date.at(*hour, *minute, 0, 0)));
                runs.extend(times.filter(|time| *time <= now).take(count - runs.len()));
            }
            if runs.len() == count {
                break;
            }
            let Ok(before) = date.yesterday() else { break };
            date = before;
        }
        runs
    }
}

/// The values of one field: `*`, `*/15`, `1-5`, `1-31/2`, `mon`, and lists of them. `base` is the
/// value of the first name.
fn values(field: &str, least: i8, most: i8, names: &[&str], base: i8) -> Option<Vec<i8>> {
    let number = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let found = names.iter().position(|name| *name == lower);
        let value = match found {
            Some(at) => i8::try_from(at).ok()? + base,
            None => text.parse().ok()?,
        };
        (least..=most).contains(&value).then_some(value)
    };
    let mut out = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let open_ended = step.is_some();
        let step: i8 = step.map_or(Some(1), |step| step.parse().ok().filter(|step| *step > 0))?;
        let (from, to) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (least, if most == 7 { 6 } else { most }),
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(range)?, if open_ended { most } else { number(range)? }),
        };
        out.extend((from..=to).step_by(usize::try_from(step).ok()?));
    }
    out.sort_unstable();
    out.dedup();
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(schedule: &str, now: &str) -> Option<i64> {
        two_periods(schedule, now.parse().unwrap()).map(|duration| duration.as_hours())
    }

    #[test]
    fn two_periods_are_the_last_three_runs() {
        // A Thursday.
        let now = "2026-01-01T12:00:00Z";
        for (schedule, expected) in [
            ("0 2 * * *", Some(48)),
            ("@daily", Some(48)),
            ("TZ=Europe/Berlin 0 2 * * *", Some(48)),
            ("0 0 2 * * *", Some(48)),
            ("*/30 * * * *", Some(1)),
            ("0 */6 * * *", Some(12)),
            ("@every 6h30m", Some(13)),
            ("0 2 * * 1-5", Some(48)),
            ("0 2 * * SUN", Some(14 * 24)),
            ("0 2 * * 7", Some(14 * 24)),
            ("0 2 1 * *", Some(61 * 24)),
            ("0 2 1,15 * *", Some(31 * 24)),
            ("30 3 29 2 *", Some((4 + 4) * 365 * 24 + 2 * 24)),
            ("0 2 * *", None),
            ("60 2 * * *", None),
            ("0 2 31 2 *", None),
            ("soon", None),
        ] {
            assert_eq!(hours(schedule, now), expected, "{schedule}");
        }
    }

    #[test]
    fn a_weekend_makes_two_periods_longer() {
        assert_eq!(hours("0 2 * * 1-5", "2026-01-05T12:00:00Z"), Some(4 * 24));
    }
}
