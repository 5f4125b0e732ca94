import type { ClusterCertificates } from "@boxship/apiserver";
import type { Logger } from "@boxship/base";
import { openHttpClient } from "@boxship/client";
import { DEFINITIONS, runControllers } from "@boxship/controllers";

export interface StartControllersOptions {
  /** How the process reaches its own API server. */
  readonly server: string;
  readonly certificates: ClusterCertificates;
  readonly logger: Logger;
}

/** The controllers beside the server. The lock on the cluster's state sees to it that there is one of each: nobody is elected. */
export function startControllers({ server, certificates, logger }: StartControllersOptions): AsyncDisposable {
  const { authority, controllers } = certificates;
  const { certificate, key } = controllers;
  const client = openHttpClient({ server, authority, certificate, key, userAgent: "kube-controller-manager" });
  const running = runControllers({ client, definitions: DEFINITIONS, logger });
  return {
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    },
  };
}
