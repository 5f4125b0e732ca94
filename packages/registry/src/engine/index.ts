export { engineImages, engineListener } from "./engine-images.ts";
export { type EngineRegistry, type EngineRegistryOptions, openEngineRegistry } from "./engine-registry.ts";
