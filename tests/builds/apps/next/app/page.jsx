"use client";
import { useEffect, useRef } from "react";
import { show } from "../../answer.js";

const assets = "/rlm-assets/";

export default function Page() {
  const shown = useRef(null);
  useEffect(() => void show(shown.current, assets), []);
  return <p ref={shown} id="answer" />;
}
