// Variables that a login sets and that programs rely on. A VM's start-up script runs without them.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

namespace sparkles {

struct LoginUser {
  std::string name;  // empty if the password file has no such user
  std::string home;
};

// The user as which this process runs. May ask a directory server.
LoginUser FindLoginUser();

// Adds to `variables` ("NAME=value") what is missing or empty there:
//   HOME      that of the user, if it can be written, else `folder`
//   USER      the user's name, or number if there is no name; LOGNAME the same
//   SHELL     /bin/sh, which runs the commands
//   PATH      the usual one
//   TMPDIR    `temp_folder`, unless its path is too long for sockets in it
// `find_user` is only called for HOME, USER and LOGNAME.
void AddLoginVariables(const std::string& folder, const std::string& temp_folder,
                       absl::FunctionRef<LoginUser()> find_user,
                       std::vector<std::string>& variables);

}  // namespace sparkles
