#include "doctor/vm_checks.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "http/transient.h"

namespace sparkles {
namespace {

void CheckPreemption(MetadataServer& metadata, const CancelToken& cancel, Findings& findings) {
  constexpr char kThing[] = "preemption";
  const auto preempted = metadata.Get("instance/preempted", cancel);
  if (!preempted.ok()) {
    return findings.Warn(kThing, preempted.status().message(),
                         "the worker cannot notice a preemption: repair the metadata server");
  }
  if (*preempted == "TRUE") {
    return findings.Fail(kThing, "Google is taking this VM back", "start another VM");
  }
  const auto preemptible = metadata.Get("instance/scheduling/preemptible", cancel);
  const bool may_be = preemptible.ok() && *preemptible == "TRUE";
  findings.Ok(kThing, may_be ? "the VM is preemptible, and is not being preempted"
                             : "the VM is not preemptible");
}

}  // namespace

void CheckVm(MetadataServer& metadata, const CancelToken& cancel, Findings& findings) {
  constexpr char kThing[] = "metadata server";
  const absl::StatusOr<VmIdentity> identity = metadata.Identity(cancel);
  if (!identity.ok()) {
    const bool broken = IsTransient(identity.status()) || cancel.cancelled();
    return findings.Fail(
        kThing, identity.status().message(),
        broken ? absl::StrCat("make http://", metadata.host(),
                              " reachable: allow it in the firewall of the VM and of the container")
               : std::string("use --localhost outside Google Cloud"));
  }
  findings.Ok(
      kThing,
      absl::StrCat("this VM is ", identity->owner, ", ",
                   identity->machine_type.empty() ? "of unknown type" : identity->machine_type,
                   ", at ", identity->address.empty() ? "no address" : identity->address));
  CheckPreemption(metadata, cancel, findings);
}

}  // namespace sparkles
