import { InvalidArgument, Unsupported } from "@boxship/base";

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** `unconfined`, `builtin`, or a profile as JSON text. */
  readonly seccomp?: string;
  readonly apparmor?: string;
  readonly systemPathsUnconfined: boolean;
}

/**
 * Reads `--security-opt`, with `=` or the old `:`. SELinux labels other than `disable` are refused: nothing here would
 * enforce them.
 *
 * @throws InvalidArgument, Unsupported
 */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let noNewPrivileges = false;
  let systemPathsUnconfined = false;
  let seccomp: string | undefined;
  let apparmor: string | undefined;
  for (const option of options) {
    const [, key = option, value] = /^([a-z-]+)[=:](.*)$/s.exec(option) ?? [];
    if (key === "no-new-privileges") {
      if (value !== undefined && value !== "true" && value !== "false") throw invalid(option);
      noNewPrivileges = value !== "false";
    } else if (key === "seccomp" && value !== undefined) seccomp = value;
    else if (key === "apparmor" && value !== undefined) apparmor = value;
    else if (key === "systempaths" && value === "unconfined") systemPathsUnconfined = true;
    else if (key === "label" && value !== undefined) {
      if (value !== "disable") {
        throw new Unsupported(`security option ${option} is not supported: SELinux labels are not applied here`, {
          remedy: "leave it out, or use label=disable",
        });
      }
    } else throw invalid(option);
  }
  return {
    noNewPrivileges,
    systemPathsUnconfined,
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(apparmor === undefined ? {} : { apparmor }),
  };
}

function invalid(option: string): InvalidArgument {
  return new InvalidArgument(`invalid --security-opt: "${option}"`, { subject: { kind: "option", name: option } });
}
