// Sets the variables of a login, which programs rely on and which a VM's start-up script lacks.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

namespace sparkles {

struct LoginUser {
  std::string name;  // empty if the password file has no such user
  std::string home;
};

// The user of this process. May ask a directory server (LDAP).
LoginUser FindLoginUser();

// Sets those of the following that are missing or empty in `variables` ("NAME=value"):
//   HOME      the user's, if it can be written, else `directory`
//   USER      the user's name, or number if there is no name; LOGNAME the same
//   SHELL     /bin/sh, which runs the commands
//   PATH      the usual directories
//   TMPDIR    `temp_directory`, unless its path is too long for sockets in it
// Calls `find_user` only for HOME, USER and LOGNAME.
void AddLoginVariables(const std::string& directory, const std::string& temp_directory,
                       absl::FunctionRef<LoginUser()> find_user,
                       std::vector<std::string>& variables);

}  // namespace sparkles
