import { mount } from "svelte";

import { Engine } from "./engine/engine.ts";
import { plan } from "./engine/planner.ts";
import App from "./ui/App.svelte";
import "./ui/theme.css";
import "./ui/elements.css";

declare global {
  interface Window {
    /** For tests and the curious: the same facade that the screen uses, and the planner by itself. */
    lingualinked: { engine: Engine; plan: typeof plan };
  }
}

const engine = new Engine();
window.lingualinked = { engine, plan };

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no element with the id app");
mount(App, { target, props: { engine } });
