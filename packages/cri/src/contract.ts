import type { Init, Method } from "@boxship/grpc";
import type { ContainerEventResponse, GetEventsRequest } from "./messages/calls.ts";
import type { IMAGE_METHODS, RUNTIME_METHODS } from "./methods.ts";

/**
 * The Container Runtime Interface v1 (RuntimeService and ImageService): what a node agent asks of an engine. Requests and
 * answers are plain objects with the names of the CRI's JSON; what a request leaves out has its default. Stopping and
 * removing what is gone already is success. What is acknowledged survives `kill -9` of the engine.
 *
 * The same promises hold for the engine in this process and for any engine behind a socket: one suite runs against both.
 */
export type Cri = RuntimeService & ImageService & AsyncDisposable;

export interface CriCall {
  readonly signal?: AbortSignal | undefined;
}

type Calls<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends Method<infer Request, infer Response>
    ? (request: Init<Request>, call?: CriCall) => Promise<Response>
    : never;
};

export type ImageService = Calls<typeof IMAGE_METHODS>;

export type RuntimeService = Calls<Omit<typeof RUNTIME_METHODS, "getContainerEvents">> & {
  /** What happens to containers of pods from now on, until the signal or the end of the connection. */
  getContainerEvents(request: Init<GetEventsRequest>, call?: CriCall): AsyncIterable<ContainerEventResponse>;
};

type Serves<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends Method<infer Request, infer Response>
    ? (request: Request, signal: AbortSignal) => Promise<Init<Response>>
    : never;
};

/** Who answers, whoever carries the calls. */
export type CriHandlers = Serves<typeof IMAGE_METHODS> &
  Serves<Omit<typeof RUNTIME_METHODS, "getContainerEvents">> & {
    getContainerEvents(request: GetEventsRequest, signal: AbortSignal): AsyncIterable<Init<ContainerEventResponse>>;
  };
