//! What every store must do. Each function is one sentence of the contract.

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
            what_was_put_is_read_back,
            nothing_is_visible_before_the_put_is_done,
            an_interrupted_body_leaves_nothing,
            a_body_of_another_length_leaves_nothing,
            a_body_that_is_too_long_is_read_no_further,
            a_put_dropped_while_it_waits_leaves_nothing,
            a_put_dropped_at_any_moment_leaves_nothing,
            an_object_is_replaced_in_one_step,
            a_failed_put_leaves_the_object_that_was_there,
            a_range_is_exactly_that_part,
            a_range_beyond_the_object_is_an_error,
            an_object_of_another_size_is_damaged_and_not_given_out,
            a_body_given_up_half_way_does_no_harm,
            what_is_not_there_is_not_found,
            a_delete_may_be_repeated,
            a_reader_finishes_what_it_opened,
            a_list_has_what_starts_with_the_prefix,
            a_list_is_in_the_byte_order_of_the_keys,
            a_list_tells_when_an_object_was_written,
            a_list_bears_objects_that_come_and_go,
            many_puts_at_once_are_all_kept,
            puts_and_deletes_in_one_folder_do_not_hurt_each_other,
            a_copy_is_an_object_of_its_own,
            a_copy_of_nothing_is_not_found,
            a_check_succeeds_and_leaves_nothing,
            preparing_and_tidying_touch_no_object_and_no_put,
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
