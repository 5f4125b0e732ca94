import { type Handler, type Init, type Method, onlyRequest, streaming } from "@boxship/grpc";
import type { CriHandlers } from "./contract.ts";
import { STREAMED_METHODS } from "./methods.ts";

/** How many go with one message: far below what a message may carry. */
const PART = 500;

/** What lists tell, in messages of bounded size; nothing of an empty list. */
export function streamedLists(handlers: CriHandlers): readonly Handler[] {
  const { podSandboxes, containers, containerStats, podSandboxStats, podSandboxMetrics, images } = STREAMED_METHODS;
  return [
    inParts(podSandboxes, handlers.listPodSandbox, ({ items = [] }) => items, "podSandboxes"),
    inParts(containers, handlers.listContainers, ({ containers: all = [] }) => all, "containers"),
    inParts(containerStats, handlers.listContainerStats, ({ stats = [] }) => stats, "containerStats"),
    inParts(podSandboxStats, handlers.listPodSandboxStats, ({ stats = [] }) => stats, "podSandboxStats"),
    inParts(
      podSandboxMetrics,
      handlers.listPodSandboxMetrics,
      ({ podMetrics = [] }) => podMetrics,
      "podSandboxMetrics",
    ),
    inParts(images, handlers.listImages, ({ images: all = [] }) => all, "images"),
  ];
}

function inParts<Request, Answer, Part>(
  method: Method<Request, Part>,
  list: (request: Request, signal: AbortSignal) => Promise<Answer>,
  itemsOf: (answer: Answer) => readonly unknown[],
  name: keyof Part,
): Handler {
  return streaming(method, async (call) => {
    const items = itemsOf(await list(await onlyRequest(call, method.path), call.signal));
    for (let at = 0; at < items.length; at += PART) {
      await call.send({ [name]: items.slice(at, at + PART) } as Init<Part>);
    }
  });
}
