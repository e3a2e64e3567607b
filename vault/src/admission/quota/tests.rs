//! What is given is never more than the quota, whoever asks when, and whatever breaks off.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::model::{GroupAllowance, Quota};

const DAY: u64 = 24 * 3_600 * 1_000_000;
/// 2026-11-28T03:00:00Z, which is 11:00 in Taipei.
const NOW: Timestamp = Timestamp(1_795_834_800_000_000);

fn unit() -> UnitName {
    UnitName::parse("unit").unwrap()
}

fn quota(day: u64, month: u64) -> Quota {
    Quota {
        day: NonZeroU64::new(day),
        month: NonZeroU64::new(month),
    }
}

fn allowance(day: u64, month: u64) -> Allowance {
    Allowance {
        quota: quota(day, month),
        zone: Zone::parse("Asia/Taipei").unwrap(),
        ..Allowance::default()
    }
}

async fn count(
    quotas: &Quotas,
    counts: &Counts,
    allowance: &Allowance,
    now: Timestamp,
) -> Result<(), Uncounted> {
    let unit = unit();
    let counted = quotas.count((&unit, counts), allowance, RouteGroup::Tokenize, now);
    counted.await.map(Counted::stands)
}

/// How many of so many requests are counted.
async fn given(quotas: &Quotas, counts: &Counts, allowance: &Allowance, asked: u32) -> u32 {
    let mut given = 0;
    for _ in 0..asked {
        given += u32::from(count(quotas, counts, allowance, NOW).await.is_ok());
    }
    given
}

/// A book that several lives of a process share.
fn shared(book: &Arc<Book>) -> Quotas {
    let book = Arc::clone(book);
    Quotas::new(Box::new(move |draw| book(draw)))
}

#[tokio::test]
async fn a_day_and_a_month_begin_anew_in_the_unit_s_zone() {
    let (quotas, counts) = (Quotas::new(book_in_memory()), Counts::default());
    let allowance = allowance(10, 25);
    assert_eq!(given(&quotas, &counts, &allowance, 20).await, 10);
    let refused = count(&quotas, &counts, &allowance, NOW).await;
    // Taipei's midnight is thirteen hours away.
    assert_eq!(refused, Err(Uncounted::UsedUp(Duration::from_hours(13))));
    let midnight = Timestamp(NOW.0 + DAY / 24 * 13);
    let before = Timestamp(midnight.0 - 1);
    assert!(count(&quotas, &counts, &allowance, before).await.is_err());
    for _ in 0..10 {
        count(&quotas, &counts, &allowance, midnight).await.unwrap();
    }
    // November has five more.
    let third = Timestamp(midnight.0 + DAY);
    for _ in 0..5 {
        count(&quotas, &counts, &allowance, third).await.unwrap();
    }
    let refused = count(&quotas, &counts, &allowance, third).await;
    assert_eq!(refused, Err(Uncounted::UsedUp(Duration::from_hours(24))));
    let december = Timestamp(third.0 + DAY);
    assert!(count(&quotas, &counts, &allowance, december).await.is_ok());
}

#[tokio::test]
async fn a_life_that_ends_at_once_loses_a_lease_and_gives_nothing_twice() {
    let book = Arc::new(book_in_memory());
    let allowance = allowance(1_000, 0);
    let mut all = 0;
    // A thousand in leases of ten: each life uses three of one.
    for _ in 0..100 {
        all += given(&shared(&book), &Counts::default(), &allowance, 3).await;
    }
    assert_eq!(all, 300);
    let last = given(&shared(&book), &Counts::default(), &allowance, 50).await;
    assert_eq!(last, 0, "every lease was taken");
}

#[tokio::test]
async fn an_orderly_end_loses_nothing() {
    let taken = Arc::new(Mutex::new(0_u64));
    let book = |taken: &Arc<Mutex<u64>>| -> Quotas {
        let taken = Arc::clone(taken);
        Quotas::new(Box::new(move |draw| {
            let mut taken = taken.lock().unwrap();
            let granted = draw.wish.min(draw.max - *taken);
            *taken += granted;
            Box::pin(std::future::ready(Ok(granted)))
        }))
    };
    let allowance = allowance(1_000, 0);
    let counts = Counts::default();
    assert_eq!(given(&book(&taken), &counts, &allowance, 13).await, 13);
    let left = counts.left_over(&unit());
    assert_eq!((left.len(), left[0].wish), (1, 7));
    assert_eq!(left[0].period.name, "2026-11-28");
    *taken.lock().unwrap() -= left[0].wish;
    assert_eq!(
        given(&book(&taken), &Counts::default(), &allowance, 2_000).await,
        987
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_get_the_quota_and_no_more() {
    let (quotas, counts) = (
        Arc::new(Quotas::new(book_in_memory())),
        Arc::new(Counts::default()),
    );
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (quotas, counts) = (Arc::clone(&quotas), Arc::clone(&counts));
            tokio::spawn(
                async move { given(&quotas, &counts, &allowance(300, 100_000), 100).await },
            )
        })
        .collect();
    let mut all = 0;
    for task in tasks {
        all += task.await.unwrap();
    }
    assert_eq!(all, 300);
}

#[tokio::test]
async fn a_group_s_quota_counts_beside_the_unit_s_and_one_that_is_refused_costs_neither() {
    let (quotas, counts) = (Quotas::new(book_in_memory()), Counts::default());
    let mut allowance = allowance(10, 0);
    let own = GroupAllowance {
        quota: quota(3, 0),
        ..GroupAllowance::default()
    };
    allowance.groups.insert(RouteGroup::Tokenize, own);
    assert_eq!(given(&quotas, &counts, &allowance, 6).await, 3);
    let (unit, mut other) = (unit(), 0);
    for _ in 0..20 {
        let counted = quotas.count((&unit, &counts), &allowance, RouteGroup::Keys, NOW);
        other += u32::from(counted.await.map(Counted::stands).is_ok());
    }
    assert_eq!(other, 7);
}

#[tokio::test]
async fn what_is_not_let_in_after_all_is_given_back() {
    let (quotas, counts) = (Quotas::new(book_in_memory()), Counts::default());
    let allowance = allowance(5, 0);
    let unit = unit();
    for _ in 0..20 {
        let counted = quotas.count((&unit, &counts), &allowance, RouteGroup::Tokenize, NOW);
        drop(
            counted
                .await
                .unwrap_or_else(|_| panic!("the quota is used up")),
        );
    }
    assert_eq!(given(&quotas, &counts, &allowance, 10).await, 5);
}

#[tokio::test]
async fn without_its_book_nothing_is_counted_and_nobody_let_in() {
    let away = Arc::new(AtomicBool::new(true));
    let (asked, book) = (Arc::clone(&away), book_in_memory());
    let quotas = Quotas::new(Box::new(move |draw| {
        if asked.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(NotBooked)));
        }
        book(draw)
    }));
    let (counts, allowance) = (Counts::default(), allowance(5, 0));
    let refused = count(&quotas, &counts, &allowance, NOW).await;
    assert_eq!(refused, Err(Uncounted::NotBooked));
    away.store(false, Ordering::Relaxed);
    assert_eq!(given(&quotas, &counts, &allowance, 10).await, 5);
    // A unit without a quota needs no book.
    away.store(true, Ordering::Relaxed);
    assert!(
        count(&quotas, &counts, &Allowance::default(), NOW)
            .await
            .is_ok()
    );
}

#[test]
fn seconds_are_rounded_up() {
    for (time, expected) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
        assert_eq!(seconds(Duration::from_millis(time)), expected);
    }
}
