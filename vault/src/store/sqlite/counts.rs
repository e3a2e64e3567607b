//! Counts rows, for who holds the database against its ledger.

use std::collections::BTreeMap;

use super::Reader;
use crate::store::StoreError;

impl Reader {
    /// How many tokens stand in each domain. It reads them all.
    pub fn tokens_by_domain(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT domain, count(*) FROM token GROUP BY domain";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut counts = BTreeMap::new();
            for row in rows {
                let (domain, count): (String, u64) = row?;
                counts.insert(domain, count);
            }
            Ok(counts)
        })
    }
}
