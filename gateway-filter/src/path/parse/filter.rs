//! Owns the reading of filters (RFC 9535 §2.3.5): logic, comparisons, functions and their types
//! (§2.4.3). A test that can't be meant is refused, as RFC 9535 asks.

use super::{PathFault, Reader, literal};
use crate::path::iregexp::Pattern;
use crate::path::query::{Comparison, Extent, From, MatchPattern, Operand, Query, Test};

/// Most filters and parentheses within each other.
const DEPTH_MAX: usize = 16;

/// What stands where a test or a comparison's side may stand.
enum Term {
    Literal(Operand),
    Query(Query),
    /// A function that yields a value.
    Value(Operand),
    /// A function that yields a test.
    Test(Test),
}

impl Reader {
    /// A whole logical expression.
    pub(super) fn test(&mut self) -> Result<Test, PathFault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(PathFault::TooDeep);
        }
        let mut any = vec![self.all()?];
        while self.connective("||") {
            any.push(self.all()?);
        }
        self.depth -= 1;
        Ok(only(any).unwrap_or_else(Test::Or))
    }

    fn all(&mut self) -> Result<Test, PathFault> {
        let mut all = vec![self.single()?];
        while self.connective("&&") {
            all.push(self.single()?);
        }
        Ok(only(all).unwrap_or_else(Test::And))
    }

    /// Takes `&&` or `||` and the white space around it; else nothing.
    fn connective(&mut self, word: &str) -> bool {
        let before = self.cursor.at;
        self.cursor.skip_blank();
        let found = self.cursor.eat_all(word);
        if found {
            self.cursor.skip_blank();
        } else {
            self.cursor.at = before;
        }
        found
    }

    fn single(&mut self) -> Result<Test, PathFault> {
        let negated = self.cursor.eat('!');
        if negated {
            self.cursor.skip_blank();
        }
        let test = if self.cursor.eat('(') {
            self.cursor.skip_blank();
            let inner = self.test()?;
            self.cursor.skip_blank();
            if !self.cursor.eat(')') {
                return Err(PathFault::Test);
            }
            inner
        } else {
            let term = self.term(PathFault::Test)?;
            if negated {
                stands_alone(term)?
            } else {
                self.compared(term)?
            }
        };
        Ok(if negated {
            Test::Not(Box::new(test))
        } else {
            test
        })
    }

    /// The comparison that starts with this term, or the test that it is.
    fn compared(&mut self, left: Term) -> Result<Test, PathFault> {
        let before = self.cursor.at;
        self.cursor.skip_blank();
        let Some(comparison) = self.comparison() else {
            self.cursor.at = before;
            return stands_alone(left);
        };
        let left = operand(left)?;
        self.cursor.skip_blank();
        let right = operand(self.term(PathFault::Operand)?)?;
        Ok(Test::Compare(left, comparison, right))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ]
        .into_iter()
        .find(|(sign, _)| self.cursor.eat_all(sign))
        .map(|(_, comparison)| comparison)
    }

    fn term(&mut self, otherwise: PathFault) -> Result<Term, PathFault> {
        match self.cursor.peek() {
            Some('@') => self.query(From::Current),
            Some('$') => self.query(From::Root),
            Some('\'' | '"') => Ok(Term::Literal(Operand::Text(literal::quoted(
                &mut self.cursor,
            )?))),
            Some('0'..='9' | '-') => Ok(Term::Literal(Operand::Number(literal::number(
                &mut self.cursor,
            )?))),
            Some('a'..='z') => self.word(),
            _ => Err(otherwise),
        }
    }

    fn query(&mut self, from: From) -> Result<Term, PathFault> {
        self.cursor.at += 1;
        Ok(Term::Query(Query {
            from,
            segments: self.segments()?,
        }))
    }

    /// `true`, `false`, `null`, or a function.
    fn word(&mut self) -> Result<Term, PathFault> {
        let word = self
            .cursor
            .take_while(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || next == '_');
        if self.cursor.eat('(') {
            let arguments = self.arguments()?;
            return call(&word, arguments);
        }
        match word.as_str() {
            "true" => Ok(Term::Literal(Operand::Bool(true))),
            "false" => Ok(Term::Literal(Operand::Bool(false))),
            "null" => Ok(Term::Literal(Operand::Null)),
            _ => Err(PathFault::Function),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Term>, PathFault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(PathFault::TooDeep);
        }
        let mut arguments = Vec::new();
        self.cursor.skip_blank();
        if !self.cursor.eat(')') {
            loop {
                self.cursor.skip_blank();
                arguments.push(self.term(PathFault::Arguments)?);
                self.cursor.skip_blank();
                if self.cursor.eat(')') {
                    break;
                }
                if !self.cursor.eat(',') {
                    return Err(PathFault::Arguments);
                }
            }
        }
        self.depth -= 1;
        Ok(arguments)
    }
}

/// The one of them, or all.
fn only(mut tests: Vec<Test>) -> Result<Test, Vec<Test>> {
    match (tests.len(), tests.pop()) {
        (1, Some(one)) => Ok(one),
        (_, last) => {
            tests.extend(last);
            Err(tests)
        }
    }
}

fn stands_alone(term: Term) -> Result<Test, PathFault> {
    match term {
        Term::Query(query) => Ok(Test::Exists(query)),
        Term::Test(test) => Ok(test),
        Term::Literal(_) => Err(PathFault::LiteralAlone),
        Term::Value(_) => Err(PathFault::FunctionType),
    }
}

fn operand(term: Term) -> Result<Operand, PathFault> {
    match term {
        Term::Literal(operand) | Term::Value(operand) => Ok(operand),
        Term::Query(query) if query.is_singular() => Ok(Operand::Singular(query)),
        Term::Query(_) => Err(PathFault::NotSingular),
        Term::Test(_) => Err(PathFault::FunctionType),
    }
}

fn call(name: &str, arguments: Vec<Term>) -> Result<Term, PathFault> {
    let mut arguments = arguments.into_iter();
    let (first, second, more) = (arguments.next(), arguments.next(), arguments.next());
    match (name, first, second, more) {
        ("length", Some(of), None, None) => {
            Ok(Term::Value(Operand::Length(Box::new(argument(of)?))))
        }
        ("count", Some(Term::Query(query)), None, None) => Ok(Term::Value(Operand::Count(query))),
        ("value", Some(Term::Query(query)), None, None) => Ok(Term::Value(Operand::Value(query))),
        ("match", Some(text), Some(pattern), None) => matches(text, pattern, Extent::Whole),
        ("search", Some(text), Some(pattern), None) => matches(text, pattern, Extent::Part),
        ("length" | "count" | "value" | "match" | "search", ..) => Err(PathFault::Arguments),
        _ => Err(PathFault::Function),
    }
}

fn matches(text: Term, pattern: Term, extent: Extent) -> Result<Term, PathFault> {
    let text = argument(text)?;
    let pattern = match argument(pattern)? {
        Operand::Text(written) => {
            MatchPattern::Written(Pattern::new(&written, extent).ok_or(PathFault::Pattern)?)
        }
        other => MatchPattern::Found(other),
    };
    Ok(Term::Test(Test::Matches {
        text,
        pattern,
        extent,
    }))
}

fn argument(term: Term) -> Result<Operand, PathFault> {
    operand(term).map_err(|_| PathFault::Arguments)
}
