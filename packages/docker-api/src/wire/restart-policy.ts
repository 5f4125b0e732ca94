import { InvalidArgument } from "@boxship/base";
import type { RestartPolicy, RestartPolicyName } from "@boxship/engine";
import { type Codec, field, integer, object, string } from "./codec.ts";

interface Raw {
  readonly name: string;
  readonly maximumRetryCount: number;
}

const raw = object<Raw>("RestartPolicy", {
  name: field("Name", string, { absent: "" }),
  maximumRetryCount: field("MaximumRetryCount", integer("int"), { absent: 0, keepZero: true }),
});

const NAMES: Readonly<Record<string, RestartPolicyName>> = {
  "": "no",
  no: "no",
  always: "always",
  "on-failure": "on-failure",
  "unless-stopped": "unless-stopped",
};

/** `RestartPolicy`; an empty name is `no`. */
export const restartPolicy: Codec<RestartPolicy> = {
  type: "RestartPolicy",
  decode(value, at, context) {
    const { name: written, maximumRetryCount } = raw.decode(value, at, context);
    const name = Object.hasOwn(NAMES, written) ? NAMES[written] : undefined;
    if (name === undefined) {
      throw new InvalidArgument(
        `invalid restart policy: unknown policy '${written}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
    }
    if (name !== "on-failure" && maximumRetryCount !== 0) {
      throw new InvalidArgument(
        `invalid restart policy: maximum retry count can only be used with 'on-failure', not with '${name}'`,
      );
    }
    if (maximumRetryCount < 0) {
      throw new InvalidArgument("invalid restart policy: maximum retry count cannot be negative");
    }
    return { name, maximumRetryCount };
  },
  encode: (value) => ({ Name: value.name, MaximumRetryCount: value.maximumRetryCount }),
};
