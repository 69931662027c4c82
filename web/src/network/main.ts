import { start } from '$kit/start'
import App from './App.svelte'

void start(App, ['network'])
