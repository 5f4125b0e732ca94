export { readConfiguration, type SchedulerConfiguration } from "./config/read-configuration.ts";
export type { Extender } from "./extenders/extender.ts";
export { type HttpExtenderOptions, httpExtender } from "./extenders/http-extender.ts";
export type { Change, NodeAspect, NodeFilter, Plugin, Rejection } from "./plugin.ts";
export { reject, rejectFinally } from "./plugin.ts";
export { defaultProfile, type Profile } from "./profile.ts";
export { Scheduler, type SchedulerOptions } from "./scheduler.ts";
