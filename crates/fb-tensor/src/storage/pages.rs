//! Memory for large blocks, straight from the operating system in huge pages where it has them.
//!
//! The first touch of fresh memory costs a page fault for every 4 KiB; with pages of 2 MiB it costs a tenth of the time.

/// Blocks from this size on are asked for in huge pages.
pub(super) const HUGE_PAGE: usize = 2 << 20;

/// So many bytes, all zero, from the start of a huge page; `None` where the system cannot, or for what is smaller than one.
#[cfg(all(target_os = "linux", not(miri)))]
pub(super) fn map(bytes: usize) -> Option<std::ptr::NonNull<u8>> {
    use std::ptr::{NonNull, null_mut};
    if bytes < HUGE_PAGE {
        return None;
    }
    // One page more than needed, so that an aligned start lies within; what sticks out goes back at once.
    let length = bytes.checked_next_multiple_of(4096)?;
    let all = length.checked_add(HUGE_PAGE)?;
    // SAFETY: a new anonymous mapping touches nothing that exists.
    let start = unsafe {
        libc::mmap(
            null_mut(),
            all,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return None;
    }
    let before = start.addr().next_multiple_of(HUGE_PAGE) - start.addr();
    let aligned = start.wrapping_byte_add(before);
    let after = all - before - length;
    // SAFETY: both parts lie within the mapping, outside of what is kept, and nobody knows them yet. The advice concerns
    // what is kept; a system that cannot follow it says so, and that changes nothing.
    unsafe {
        if before > 0 {
            libc::munmap(start, before);
        }
        if after > 0 {
            libc::munmap(aligned.wrapping_byte_add(length), after);
        }
        libc::madvise(aligned, length, libc::MADV_HUGEPAGE);
    }
    NonNull::new(aligned.cast())
}

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) fn map(_bytes: usize) -> Option<std::ptr::NonNull<u8>> {
    None
}

/// Gives back what [`map`] gave for so many bytes.
///
/// # Safety
/// It came from there, and nothing refers to it any more.
#[cfg(all(target_os = "linux", not(miri)))]
pub(super) unsafe fn unmap(start: *mut u8, bytes: usize) {
    // SAFETY: the caller's; the length is the one that was kept.
    unsafe { libc::munmap(start.cast(), bytes.next_multiple_of(4096)) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) unsafe fn unmap(_start: *mut u8, _bytes: usize) {
    unreachable!("nothing is mapped here");
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_aligned_zero_and_writable_to_its_end() {
        for bytes in [HUGE_PAGE, HUGE_PAGE + 64, 3 * HUGE_PAGE - 64] {
            let start = map(bytes).expect("the system has memory").as_ptr();
            assert!(start.addr().is_multiple_of(HUGE_PAGE));
            // SAFETY: the mapping has so many bytes, and this is the only use of it.
            let all = unsafe { std::slice::from_raw_parts_mut(start, bytes) };
            assert!(all.iter().all(|&byte| byte == 0));
            all.fill(1);
            // SAFETY: mapped above, not used below.
            unsafe { unmap(start, bytes) };
        }
        assert!(map(HUGE_PAGE - 1).is_none());
    }
}
