import { parentPort, workerData } from "node:worker_threads";
import { createLogger, errorMessage, Internal } from "@boxship/base";
import { type ClientIdentity, FollowServices, openHttpClient } from "@boxship/client";
import { ClusterDns } from "./cluster-dns.ts";

/** The thread of a {@link ClusterDnsThread}: follows a cluster and answers for its names until it is told to end. */

export interface ClusterDnsSettings {
  /** The API, and what its administrator connects with, PEM. */
  readonly server: string;
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  readonly zone: string;
  /** The address under which pods ask: never asked itself. */
  readonly serviceAddress: string;
  /** Where it listens on the loopback address, if that is free. @default one that is free */
  readonly port?: number;
}

export type DnsThreadTold =
  | { readonly told: "listening"; readonly port: number }
  | { readonly told: "ready" }
  | { readonly told: "failed"; readonly message: string }
  | { readonly told: "question"; readonly id: number; readonly name: string };

/** An answer to a question about names of the engine; undefined where there is nothing of that name. */
export interface DnsThreadAnswer {
  readonly id: number;
  readonly addresses: readonly string[] | undefined;
}

function serve(port: NonNullable<typeof parentPort>, settings: ClusterDnsSettings): void {
  const tell = (told: DnsThreadTold): void => port.postMessage(told);
  const questions = new Map<number, (addresses: readonly string[] | undefined) => void>();
  let asked = 0;
  const { server, authority, zone, serviceAddress } = settings;
  let identity: ClientIdentity = { certificate: settings.certificate, key: settings.key };
  const logger = createLogger();
  const stack = new AsyncDisposableStack();
  const client = stack.use(openHttpClient({ server, authority, identity: () => identity, userAgent: "boxship-dns" }));
  const services = stack.use(new FollowServices({ client, logger }));
  const dns = stack.use(
    new ClusterDns({
      client,
      services,
      zone,
      serviceAddress,
      ...(settings.port === undefined ? {} : { port: settings.port }),
      engineNames: (name) =>
        new Promise((resolve) => {
          const id = asked++;
          questions.set(id, resolve);
          tell({ told: "question", id, name });
        }),
      logger,
    }),
  );
  tell({ told: "listening", port: dns.port });
  dns.ready.then(
    () => tell({ told: "ready" }),
    (error: unknown) => tell({ told: "failed", message: errorMessage(error) }),
  );
  port.on("message", (message: DnsThreadAnswer | ClientIdentity | "end") => {
    if (message === "end") {
      void stack.disposeAsync().finally(() => port.close());
      return;
    }
    if ("certificate" in message) {
      identity = message;
      return;
    }
    questions.get(message.id)?.(message.addresses);
    questions.delete(message.id);
  });
}

if (parentPort === null) throw new Internal("this file is a worker thread's");
serve(parentPort, workerData as ClusterDnsSettings);
