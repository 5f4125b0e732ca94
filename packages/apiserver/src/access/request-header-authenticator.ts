import { failure } from "@boxship/api";
import { FRONT_PROXY_CLIENT } from "../certificates/cluster-certificates.ts";
import type { Authenticator } from "../contract.ts";
import { AUTHENTICATED } from "./authenticate.ts";
import { headersBelow, headerValues } from "./header-values.ts";

const EXTRA = "x-remote-extra-";

/** Who asks is what a front proxy says in headers, which is known by a certificate of the authority for that alone. */
export const requestHeaderAuthenticator: Authenticator = {
  authenticate({ certificate, rawHeaders }) {
    if (certificate?.isFrontProxy !== true) return undefined;
    const [name = ""] = headerValues(rawHeaders, "x-remote-user");
    if (certificate.commonName !== FRONT_PROXY_CLIENT || name === "") throw failure("Unauthorized", "Unauthorized");
    const [uid = ""] = headerValues(rawHeaders, "x-remote-uid");
    const extra = headersBelow(rawHeaders, EXTRA);
    return {
      name,
      groups: [...new Set([...headerValues(rawHeaders, "x-remote-group"), AUTHENTICATED])],
      ...(uid === "" ? {} : { uid }),
      ...(Object.keys(extra).length === 0 ? {} : { extra }),
    };
  },
};
