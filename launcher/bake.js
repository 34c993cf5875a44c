"use strict";

require("./main.js").run("bake");
