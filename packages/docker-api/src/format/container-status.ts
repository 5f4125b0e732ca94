import type { ContainerView } from "@boxship/engine";
import { humanDuration } from "./duration.ts";

/** The `STATUS` column: `Up 5 minutes (healthy)`, `Exited (137) 2 seconds ago`, … */
export function containerStatus(view: Pick<ContainerView, "state" | "health">, now: number): string {
  const { state } = view;
  switch (state.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${humanDuration(now - state.startedAt)}${healthSuffix(view.health)}`;
    case "paused":
      return `Up ${humanDuration(now - state.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${humanDuration(now - state.finishedAt)} ago`;
    case "exited":
      return `Exited (${state.exitCode}) ${humanDuration(now - state.finishedAt)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      break;
  }
  return "Dead";
}

function healthSuffix(health: ContainerView["health"]): string {
  if (health === undefined) return "";
  return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
}
