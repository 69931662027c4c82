/** The signs of the kit, by plain names. Categories of a city kit choose from `CATEGORY_SIGNS`. */
import {
  Accessibility, ArrowDown, ArrowLeft, ArrowRight, Ban, Bell, Bike, Biohazard, Bug, Building, Bus, Cable,
  Camera, Car, Check, ChevronDown, ChevronLeft, ChevronRight, ChevronUp, CircleAlert, CircleCheck,
  CircleDot, CircleQuestionMark, CircleX, ClipboardList, Clock, CloudRain, Construction, Copy,
  Cpu, Dog, Download, Droplet, Droplets, Ellipsis, ExternalLink, Eye, FileText, Flame, Footprints,
  Funnel, Gauge, HandHelping, Hospital, House, ImagePlus, Inbox, Info, KeyRound, LampWallDown,
  Landmark, Languages, Layers, Leaf, Lightbulb, List, LocateFixed, LogIn, LogOut, MapPin,
  Map as MapSign, Menu, MessageSquare, Minus, Monitor, Moon, OctagonAlert, Pause, Phone, Play,
  Plus, RadioTower, RefreshCw, Road, RotateCcw, Scale, School, ScrollText, Search, Send, Settings,
  Share2, ShieldAlert, Ship, ShoppingCart, Signpost, Siren, SkipBack, SkipForward, Star, Store,
  Sun, Toilet, TrafficCone, TrainFront, Trash, TreePalm, Trees, TriangleAlert, Undo2, User, Users,
  Volume2, WavesHorizontal, WifiOff, Wind, Wrench, X, Zap, type IconNode,
} from 'lucide'

const SIGNS = {
  'arrow-down': ArrowDown, 'arrow-left': ArrowLeft, 'arrow-right': ArrowRight, bell: Bell, camera: Camera, check: Check,
  'chevron-down': ChevronDown, 'chevron-left': ChevronLeft, 'chevron-right': ChevronRight,
  'chevron-up': ChevronUp, clipboard: ClipboardList, clock: Clock, copy: Copy, cpu: Cpu,
  critical: OctagonAlert, dot: CircleDot, download: Download, ellipsis: Ellipsis, error: CircleX,
  external: ExternalLink, eye: Eye, file: FileText, filter: Funnel, gauge: Gauge, home: House,
  image: ImagePlus, inbox: Inbox, info: Info, key: KeyRound, languages: Languages, layers: Layers,
  list: List, locate: LocateFixed, 'log-in': LogIn, 'log-out': LogOut, map: MapSign, menu: Menu,
  minus: Minus, monitor: Monitor, moon: Moon, note: MessageSquare, offline: WifiOff, ok: CircleCheck,
  pause: Pause, pin: MapPin, play: Play, plus: Plus, refresh: RefreshCw, reject: Ban,
  reopen: RotateCcw, replay: RotateCcw, scroll: ScrollText, search: Search, send: Send,
  settings: Settings, share: Share2, 'skip-back': SkipBack, 'skip-forward': SkipForward, star: Star,
  sun: Sun, tower: RadioTower, undo: Undo2, user: User, users: Users, warning: TriangleAlert,
  watch: CircleAlert, x: X,
} satisfies Record<string, IconNode>

const CATEGORY_SIGNS = {
  accessibility: Accessibility, accident: Siren, air: Wind, animal: Dog, barrier: Construction,
  bike: Bike, bridge: Landmark, building: Building, bus: Bus, cable: Cable, canal: WavesHorizontal,
  cart: ShoppingCart, dots: Ellipsis, drain: Droplets, fire: Flame, flood: CloudRain, hazard: Biohazard,
  health: Hospital, help: HandHelping, idea: Lightbulb, leaf: Leaf, light: Lightbulb, litter: Trash,
  'market-stall': Store, noise: Volume2, park: TreePalm, pavement: Footprints, people: Users, pest: Bug,
  phone: Phone, power: Zap, question: CircleQuestionMark, road: Road, safety: ShieldAlert,
  scales: Scale, school: School, shield: ShieldAlert, ship: Ship, sign: Signpost,
  speech: MessageSquare, 'street-light': LampWallDown, tap: Droplet, toilet: Toilet, tool: Wrench,
  traffic: Car, 'traffic-offence': Ban, 'traffic-sign': TrafficCone, train: TrainFront, tree: Trees,
  water: WavesHorizontal,
} satisfies Record<string, IconNode>

export type IconName = keyof typeof SIGNS | keyof typeof CATEGORY_SIGNS

const ALL: Record<string, IconNode> = { ...CATEGORY_SIGNS, ...SIGNS }

/** The strokes of a sign; three dots for a name we do not know. */
export function strokes(name: string): IconNode {
  return ALL[name] ?? Ellipsis
}
