// Tells the sanitizer that this program was built with.
#pragma once

#if defined(__has_feature)
#define SPARKLES_HAS_FEATURE(feature) __has_feature(feature)
#else
#define SPARKLES_HAS_FEATURE(feature) 0
#endif

namespace sparkles {

#if defined(__SANITIZE_THREAD__) || SPARKLES_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif
#if defined(__SANITIZE_ADDRESS__) || SPARKLES_HAS_FEATURE(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = kThreadSanitizer;
#endif

}  // namespace sparkles
