//! The contract of every store. Each function is one sentence of it.

mod many;
mod put;
mod read;

pub use many::*;
pub use put::*;
pub use read::*;

/// Makes a test of each sentence, for the store that `$subject().await` makes.
macro_rules! run_contract {
    ($subject:path) => {
        $crate::contract::run_contract!($subject:
            object_is_read_back_as_it_was_put,
            object_is_invisible_until_its_put_is_done,
            an_interrupted_body_leaves_nothing,
            a_body_of_another_length_leaves_nothing,
            body_longer_than_declared_is_read_no_further,
            a_put_dropped_while_it_waits_leaves_nothing,
            a_put_dropped_at_any_moment_leaves_nothing,
            object_is_replaced_in_one_step,
            failed_put_keeps_the_previous_object,
            range_returns_exactly_that_part,
            a_range_beyond_the_object_is_an_error,
            object_of_another_size_is_damaged_and_not_returned,
            body_dropped_half_way_does_no_harm,
            missing_object_is_not_found,
            a_delete_may_be_repeated,
            open_reader_finishes_after_a_delete,
            list_has_the_keys_with_the_prefix,
            a_list_is_in_the_byte_order_of_the_keys,
            list_has_the_time_of_each_object,
            list_survives_concurrent_puts_and_deletes,
            many_puts_at_once_are_all_kept,
            concurrent_puts_and_deletes_in_one_folder_succeed,
            copy_is_independent_of_its_source,
            copy_of_a_missing_object_is_not_found,
            a_check_succeeds_and_leaves_nothing,
            preparation_and_sweep_touch_no_object_and_no_put,
        );
    };
    ($subject:path: $($sentence:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() {
                $crate::contract::$sentence(&$subject().await).await;
            }
        )*
    };
}
pub(crate) use run_contract;
