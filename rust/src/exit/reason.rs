//! Stable words for why a position is left, by which path, and how a claim ended.

use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every member, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable word that counters, logs and the shell use.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Reads the stable word.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.code() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

words!(
    /// Why a position is left, in order of precedence.
    ExitReason {
        /// A loss limit of the session was reached.
        HardStop = "hard_stop",
        /// Book and oracle have met again.
        MarkRegression = "mark_regression",
        /// The profit aimed at is there.
        QuickProfit = "quick_profit",
        /// Little is left of the edge that was taken.
        EdgeEvaporated = "edge_evaporated",
        /// The oracle turned against the position.
        OracleReversal = "oracle_reversal",
        /// The position is too old.
        TimeStop = "time_stop",
        /// A person, or an orderly end, asked for it.
        Operator = "operator",
    }
);

words!(
    /// Who found that a position is to be left.
    ExitPath {
        /// The market update itself, or the deadline of a position.
        Primary = "primary",
        /// The timer over all positions.
        Backup = "backup",
        /// A request.
        Operator = "operator",
    }
);

words!(
    /// How a claim ended.
    ReleaseReason {
        /// The order filled whole.
        Filled = "filled",
        /// The order filled in part; what is left is looked at again at once.
        PartlyFilled = "partly_filled",
        /// The venue refused the order.
        Rejected = "rejected",
        /// The venue cancelled the order, for example an immediate one that met nothing.
        Canceled = "canceled",
        /// The venue's time was beyond the order's expiry.
        Expired = "expired",
        /// The venue does not know the order, and it can no longer arrive.
        ProvenAbsent = "proven_absent",
        /// The order never left this process.
        NotSent = "not_sent",
        /// The flatten channel was full.
        ChannelFull = "channel_full",
        /// The position is gone without our order.
        Settled = "settled",
    }
);

impl ReleaseReason {
    /// Whether the position shrank, so that the next attempt is a first one.
    pub fn is_progress(self) -> bool {
        matches!(self, Self::Filled | Self::PartlyFilled | Self::Settled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_and_others_are_not() {
        for reason in ExitReason::ALL {
            assert_eq!(ExitReason::parse(reason.code()), Some(*reason));
        }
        for reason in ReleaseReason::ALL {
            assert_eq!(ReleaseReason::parse(&reason.to_string()), Some(*reason));
        }
        assert_eq!(
            (ExitPath::parse("backup"), ExitPath::parse("Backup")),
            (Some(ExitPath::Backup), None)
        );
    }
}
