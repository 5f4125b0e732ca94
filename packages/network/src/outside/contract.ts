import type { PortBinding } from "../contract.ts";

/** Where connections to a published port go. */
export interface PortTarget {
  readonly address: string;
  readonly port: number;
}

/**
 * Published ports for an engine that lives in a network namespace of its own: clients are outside, so somebody there has
 * to listen for them.
 *
 * Ports stay published when the engine ends, and until they are withdrawn: containers outlive it.
 */
export interface OutsidePorts {
  /**
   * Listens outside and passes on to the target. Rejects with the code of bind(2), `EADDRINUSE` above all, also when the
   * port is published already.
   */
  publish(binding: PortBinding, target: PortTarget | undefined): Promise<void>;
  /** Changes where a published port leads; open connections go on. One that is not published is published. */
  lead(binding: PortBinding, target: PortTarget | undefined): Promise<void>;
  /** Stops listening and cuts open connections; a port that is not published is success. */
  withdraw(binding: PortBinding): Promise<void>;
  /** Withdraws all but these. */
  retain(bindings: readonly PortBinding[]): Promise<void>;
}

/** What is asked over the forwarder's socket, a line of JSON each; answered in order. */
export type ForwarderRequest =
  | { readonly operation: "publish"; readonly binding: PortBinding; readonly target: PortTarget | undefined }
  | { readonly operation: "lead"; readonly binding: PortBinding; readonly target: PortTarget | undefined }
  | { readonly operation: "withdraw"; readonly binding: PortBinding }
  | { readonly operation: "retain"; readonly bindings: readonly PortBinding[] };

export interface ForwarderAnswer {
  readonly failure?: { readonly message: string; readonly errno?: number; readonly call?: string };
}

/** What makes a published port one. */
export function portKey({ protocol, hostIP, hostPort }: PortBinding): string {
  return `${protocol} ${hostIP} ${hostPort}`;
}
